#include "agent/connectors/xml/xml_path.h"

#include "agent/connectors/xml/xml_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::xml {
namespace {

std::unexpected<StepError> wrong(std::string_view argument, std::string_view why) {
  return step_fail("invalid", fmt::format("a path in `{}` is wrong: {}", argument, why));
}

// The parts between slashes; those within `{...}` belong to a namespace.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  bool in_space = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') in_space = true;
    if (text[i] == '}') in_space = false;
    if (text[i] != '/' || in_space) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

StepResult<NameTest> parse_name(std::string_view text, std::string_view argument) {
  NameTest test;
  if (text.starts_with('{')) {
    const auto end = text.find('}');
    if (end == std::string_view::npos) return wrong(argument, "a `{` is not closed");
    test.space = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  }
  if (!is_xml_name(text)) return wrong(argument, "a part of it is no name, or has a prefix (write `{uri}name`)");
  test.local = text;
  return test;
}

StepResult<std::vector<NameTest>> parse_names(const std::vector<std::string_view>& parts, std::string_view argument) {
  if (parts.size() > kMaxSteps) return wrong(argument, fmt::format("it has more than {} parts", kMaxSteps));
  std::vector<NameTest> names;
  for (const auto part : parts) {
    SP_TRY(auto name, parse_name(part, argument));
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

bool RowPath::matches(const std::vector<XmlName>& open) const {
  if (open.size() < steps.size() || (from_root && open.size() != steps.size())) return false;
  const auto last = open.end() - static_cast<std::ptrdiff_t>(steps.size());
  return std::equal(steps.begin(), steps.end(), last,
                    [](const auto& test, const auto& name) { return test.matches(name); });
}

StepResult<RowPath> parse_row_path(std::string_view text, std::string_view argument) {
  RowPath path;
  path.from_root = text.starts_with('/');
  if (path.from_root) text.remove_prefix(1);
  SP_TRY(path.steps, parse_names(split(text), argument));
  return path;
}

StepResult<ColumnPath> parse_column_path(std::string_view text, std::string_view argument) {
  ColumnPath path;
  auto parts = split(text);
  if (parts.back() == "text()") {
    parts.pop_back();
  } else if (parts.back().starts_with('@')) {
    SP_TRY(path.attribute, parse_name(parts.back().substr(1), argument));
    parts.pop_back();
  }
  SP_TRY(path.steps, parse_names(parts, argument));
  return path;
}

}  // namespace sallyport::connectors::xml
