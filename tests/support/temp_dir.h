#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include <stdlib.h>

namespace sallyport::test {

// A fresh directory below the system's temporary one; removed with everything in it.
class TempDir {
 public:
  TempDir() {
    auto pattern = (std::filesystem::temp_directory_path() / "sallyport-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path(std::string_view below = {}) const {
    return below.empty() ? path_ : path_ + "/" + std::string(below);
  }
  std::filesystem::path operator/(std::string_view name) const { return std::filesystem::path(path_) / name; }
  // Whatever the umask: an agent refuses configuration that group or others may write to.
  std::string write(std::string_view below, std::string_view content) const {
    const auto file = path(below);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << content;
    std::filesystem::permissions(file, std::filesystem::perms::group_write | std::filesystem::perms::others_write,
                                 std::filesystem::perm_options::remove);
    return file;
  }
  std::string read(std::string_view below) const {
    std::ifstream in(path(below), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool has(std::string_view below) const { return std::filesystem::exists(path(below)); }

 private:
  std::string path_;
};

}  // namespace sallyport::test
