#include "shared/expr/functions.h"

#include "shared/base/result.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace sallyport::expr {
namespace {

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// Cuts `text` at `mark` where no bracket is open.
std::vector<std::string_view> cut(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  int open = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    open += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (text[i] != mark || open > 0) continue;
    parts.push_back(trimmed(text.substr(start, i - start)));
    start = i + 1;
  }
  parts.push_back(trimmed(text.substr(start)));
  return parts;
}

Overload read_overload(std::string_view text) {
  Overload overload;
  const auto arrow = text.find("->");
  overload.result = parse_type(trimmed(text.substr(arrow + 2))).value_or(Type());
  for (auto parameter : cut(text.substr(0, arrow), ',')) {
    if (parameter.empty()) continue;
    if (parameter.ends_with("...")) {
      overload.variadic = true;
      parameter.remove_suffix(3);
    }
    overload.parameters.push_back(parse_type(parameter).value_or(Type()));
  }
  return overload;
}

using Library = std::span<const Function> (*)();
constexpr std::array<Library, 7> kLibraries = {
    operator_functions,   conversion_functions, text_functions, text_extension_functions,
    collection_functions, time_functions,       math_functions};

}  // namespace

// Read once: a recipe may hold more than a hundred thousand calls.
std::vector<Overload> overloads_of(const Function& function) {
  static const auto kRead = [] {
    std::unordered_map<const Function*, std::vector<Overload>> read;
    for (auto library : kLibraries) {
      for (const auto& known : library()) {
        for (auto text : cut(known.signature, ';')) read[&known].push_back(read_overload(text));
      }
    }
    return read;
  }();
  const auto found = kRead.find(&function);
  return found == kRead.end() ? std::vector<Overload>() : found->second;
}

std::expected<void, Failure> pay_for_search(std::string_view text, std::string_view part, Budget& budget) {
  SP_CHECK(budget.spend_bytes(text.size() + part.size()));
  return budget.spend(static_cast<std::uint64_t>(text.size()) * part.size() / 1000);
}

const Function* find_function(std::string_view name, Style style) {
  for (auto library : kLibraries) {
    const auto functions = library();
    const auto it =
        std::ranges::find_if(functions, [&](const Function& f) { return f.name == name && f.style == style; });
    if (it != functions.end()) return &*it;
  }
  return nullptr;
}

std::vector<std::string_view> function_names(Style style) {
  std::vector<std::string_view> names;
  for (auto library : kLibraries) {
    for (const auto& function : library()) {
      const bool is_word = function.name[0] >= 'a' && function.name[0] <= 'z';
      if (function.style == style && is_word) names.push_back(function.name);
    }
  }
  return names;
}

}  // namespace sallyport::expr
