#pragma once

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

// Published files, or parts of them, that are made from the code's own tables: with SALLYPORT_UPDATE_PUBLISHED set the
// test that checks them writes them anew.
namespace sallyport::test {

inline std::string published(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void check_published(const std::string& path, const std::string& made) {
  if (std::getenv("SALLYPORT_UPDATE_PUBLISHED") != nullptr) std::ofstream(path, std::ios::binary) << made;
  INFO(path << " is not what the code makes; write it anew with SALLYPORT_UPDATE_PUBLISHED=1");
  CHECK(published(path) == made);
}

// The lines between `<!-- NAME: generated ... -->` and `<!-- end of NAME -->`; the rest of the page is people's.
inline void check_published_section(const std::string& path, std::string_view name, const std::string& made) {
  auto page = published(path);
  INFO(path << " needs the marks `<!-- " << name << ": generated ... -->` and `<!-- end of " << name << " -->`");
  auto begin = page.find("<!-- " + std::string(name) + ": generated");
  REQUIRE(begin != std::string::npos);
  begin = page.find('\n', begin) + 1;
  const auto end = page.find("<!-- end of " + std::string(name) + " -->", begin);
  REQUIRE(end != std::string::npos);
  page.replace(begin, end - begin, made);
  check_published(path, page);
}

}  // namespace sallyport::test
