#pragma once

#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

// The files of tests/vectors, read from the project's folder, where tests run.
namespace sallyport::test {

struct Vector {
  bool valid = false;
  std::string label;
  std::vector<Bytes> fields;
};

inline std::vector<Vector> read_vectors(const std::string& name, std::size_t fields) {
  std::ifstream file("tests/vectors/" + name);
  std::vector<Vector> all;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    Vector read;
    std::string verdict;
    words >> verdict >> read.label;
    read.valid = verdict == "valid";
    for (std::string word; words >> word;) read.fields.push_back(word == "-" ? Bytes() : from_hex(word).value());
    if (read.fields.size() != fields) throw std::runtime_error("a line of " + name + " has another number of fields");
    all.push_back(std::move(read));
  }
  return all;
}

inline Secret secret_of(std::span<const std::byte> bytes) { return Secret::take(std::string(as_text(bytes))); }

inline Bytes joined(std::initializer_list<std::span<const std::byte>> parts) {
  Bytes all;
  for (auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace sallyport::test
