#include "tests/support/canary.h"

#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "shared/base/text.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace sallyport::test {
namespace {

// What the secret alone decides of its base64 when `before` bytes stand in front of it.
template <class Encode>
std::string inner_base64(const std::string& text, std::size_t before, Encode encode) {
  const std::string padded = std::string(before, 'x') + text;
  const std::size_t first = (before * 8 + 5) / 6;
  const std::size_t last = padded.size() * 8 / 6;
  return encode(as_bytes(padded)).substr(first, last - first);
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

}  // namespace

Canary::Canary(std::string text) : text_(std::move(text)) {
  forms_.emplace_back("raw", text_);
  const auto quoted = to_json(Value(text_));
  forms_.emplace_back("JSON", quoted.substr(1, quoted.size() - 2));
  forms_.emplace_back("URL", percent_encode(text_));
  forms_.emplace_back("hex", hex(as_bytes(text_)));
  forms_.emplace_back("HEX", upper(hex(as_bytes(text_))));
  for (std::size_t before = 0; before < 3; ++before) {
    forms_.emplace_back("base64", inner_base64(text_, before, base64));
    forms_.emplace_back("base64url", inner_base64(text_, before, base64url));
  }
}

std::vector<std::string> Canary::forms_in(std::string_view where) const {
  std::vector<std::string> found;
  for (const auto& [name, form] : forms_) {
    if (where.find(form) != std::string_view::npos) found.push_back(name);
  }
  return found;
}

std::vector<std::string> Canary::forms_below(const std::filesystem::path& directory) const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), {});
    for (const auto& form : forms_in(content)) found.push_back(entry.path().filename().string() + ": " + form);
  }
  return found;
}

}  // namespace sallyport::test
