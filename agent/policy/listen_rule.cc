#include "agent/policy/listen_rule.h"

#include "agent/policy/reading.h"
#include "shared/recipe/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 5> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};
constexpr std::size_t kLongestPath = 256;

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_segment(std::string_view text) {
  const auto is_unreserved = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~").contains(c);
  };
  return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, is_unreserved);
}

ListenRule::Entry read_entry(const yaml::Node& node, yaml::Report& report) {
  yaml::FieldReader fields(node, report, "a rule of `listen`");
  ListenRule::Entry entry;
  entry.path = fields.text("path", yaml::Need::required).value_or("");
  if (!entry.path.empty() && !is_listen_path(entry.path))
    fields.problem("path", "bad-path", "`path` is one of a sender in connections.yaml: /github/push");
  if (fields.any("methods") != nullptr) {
    entry.methods.clear();
    for (const auto index : read_words(fields, "methods", kMethods)) entry.methods.emplace_back(kMethods[index]);
  }
  entry.recipes = fields.texts("recipes");
  fields.finish();
  return entry;
}

}  // namespace

bool is_listen_path(std::string_view path) {
  if (!path.starts_with('/') || path.size() > kLongestPath) return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    if (!is_segment(path.substr(0, end))) return false;
    path.remove_prefix(end);
  }
  return true;
}

Verdict<> ListenRule::check(std::string_view path, std::string_view method, std::string_view recipe) const {
  const auto allows = [&](const Entry& entry) {
    return entry.path == path && has(entry.methods, method) && (entry.recipes.empty() || has(entry.recipes, recipe));
  };
  if (std::ranges::any_of(entries, allows)) return {};
  return std::unexpected(
      Refusal{rule, fmt::format("the local policy of this agent does not allow this recipe to listen "
                                "for {} {}",
                                method, yaml::quoted(std::string(path.substr(0, 64))))});
}

ListenRule read_listen_rule(const yaml::Node& list, yaml::Report& report, std::string rule) {
  ListenRule read{{}, std::move(rule)};
  for (const auto& item : list.items) read.entries.push_back(read_entry(item, report));
  return read;
}

}  // namespace sallyport::policy
