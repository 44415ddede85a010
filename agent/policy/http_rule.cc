#include "agent/policy/http_rule.h"

#include "agent/policy/glob.h"
#include "shared/recipe/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

using yaml::FieldReader;
using yaml::Need;

std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

std::string rule_at(std::string_view file, yaml::Position at, std::string_view path) {
  return fmt::format("{}:{} {}", file, at.line, path);
}

void check_words(FieldReader& fields, std::string_view name, std::span<const std::string> words,
                 std::span<const std::string_view> known) {
  for (const auto& word : words) {
    if (std::ranges::find(known, word) != known.end()) continue;
    fields.problem(name, "bad-choice",
                   fmt::format("`{}` has no {}; it takes {}{}", name, yaml::quoted(word), fmt::join(known, ", "),
                               yaml::suggestion(word, known)));
  }
}

HttpRule read_rule(const yaml::Node& node, yaml::Report& report) {
  FieldReader fields(node, report, "an HTTP rule");
  HttpRule rule;
  rule.methods = fields.texts("methods", Need::required);
  check_words(fields, "methods", rule.methods, kHttpMethods);
  rule.paths = fields.texts("paths", Need::required);
  for (const auto& pattern : rule.paths) {
    if (!is_path_pattern(pattern))
      fields.problem("paths", "bad-pattern",
                     "a path begins with a slash; its segments may have `*`, `?`, `[a-z]`, the last may be `**`");
  }
  fields.finish();
  return rule;
}

}  // namespace

bool is_path_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) return false;
  while (!pattern.empty()) {
    const auto segment = next_segment(pattern);
    if (segment.empty() && !pattern.empty()) return false;
    if (segment.contains("**") && (segment != "**" || !pattern.empty())) return false;
    if (!segment.empty() && !is_glob(segment)) return false;
  }
  return true;
}

bool path_matches(std::string_view pattern, std::span<const std::string> segments) {
  for (const auto& segment : segments) {
    if (pattern.empty()) return false;
    const auto wanted = next_segment(pattern);
    if (wanted == "**") return true;
    if (!glob_matches(wanted, segment)) return false;
  }
  return pattern.empty() || (segments.empty() && pattern == "/");
}

Verdict<> HttpPolicy::check_request(std::string_view method, std::span<const std::string> segments) const {
  const HttpRule* nearest = nullptr;
  for (const auto& rule : allow) {
    if (std::ranges::none_of(rule.paths, [&](const auto& path) { return path_matches(path, segments); })) continue;
    if (std::ranges::find(rule.methods, method) != rule.methods.end()) return {};
    nearest = &rule;
  }
  if (nearest != nullptr)
    return std::unexpected(
        Refusal{nearest->rule, fmt::format("the local policy of this agent does not allow {} there", method)});
  return std::unexpected(
      Refusal{allow_rule, "the local policy of this agent has no rule for this path of the connection"});
}

Verdict<> HttpPolicy::check_clear_text() const {
  if (clear_text) return {};
  return std::unexpected(Refusal{clear_text_rule,
                                 "the local policy of this agent does not allow http:, which anybody on the way can "
                                 "read and change"});
}

bool HttpPolicy::allows(AddressClass address_class) const {
  return (addresses & static_cast<unsigned>(address_class)) != 0;
}

Refusal HttpPolicy::refused_address(AddressClass address_class) const {
  return {addresses_rule,
          fmt::format("the server has an address that the local policy of this agent does not allow ({})",
                      to_string(address_class))};
}

HttpPolicy read_http_policy(const yaml::Node& node, yaml::Report& report, std::string_view file,
                            const std::string& path) {
  FieldReader fields(node, report, "`http`");
  HttpPolicy policy;
  policy.allow_rule = rule_at(file, fields.at("allow"), path + ".allow");
  policy.clear_text_rule = rule_at(file, fields.at("clear_text"), path + ".clear_text");
  policy.addresses_rule = rule_at(file, fields.at("addresses"), path + ".addresses");
  const auto* allow = fields.sequence("allow", Need::required);
  for (std::size_t i = 0; allow != nullptr && i < allow->items.size(); ++i) {
    policy.allow.push_back(read_rule(allow->items[i], report));
    policy.allow.back().rule = rule_at(file, allow->items[i].at, fmt::format("{}.allow[{}]", path, i));
  }
  constexpr std::array<std::string_view, 2> kRedirects{"none", "same_origin"};
  if (fields.choice("redirects", kRedirects) == "same_origin") policy.redirects = HttpPolicy::Redirects::same_origin;
  policy.clear_text = fields.boolean("clear_text").value_or(false);
  if (fields.any("addresses") != nullptr) {
    const auto words = fields.texts("addresses");
    check_words(fields, "addresses", words, kAddressClasses);
    policy.addresses = 0;
    for (std::size_t i = 0; i < kAddressClasses.size(); ++i) {
      if (std::ranges::find(words, kAddressClasses[i]) != words.end()) policy.addresses |= 1u << i;
    }
  }
  fields.finish();
  return policy;
}

}  // namespace sallyport::policy
