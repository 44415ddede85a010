#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::test {

// A secret that a test plants, and every form in which it could come to light: as it is, in base64 and base64url at any
// offset of a longer text, in hex, in a URL, in JSON.
class Canary {
 public:
  explicit Canary(std::string text);

  const std::string& text() const { return text_; }
  // The names of the forms that occur in `where`; empty: it did not leak.
  std::vector<std::string> forms_in(std::string_view where) const;
  // The same over every file below `directory`: "journal.db: base64".
  std::vector<std::string> forms_below(const std::filesystem::path& directory) const;
  const std::vector<std::pair<std::string, std::string>>& forms() const { return forms_; }  // name, text

 private:
  std::string text_;
  std::vector<std::pair<std::string, std::string>> forms_;
};

}  // namespace sallyport::test
