#include "shared/recipe/mask.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

using Names = std::span<const std::string>;

// `change` gets the map that holds the last name of the path, and that name as a key of it.
template <class Change>
Value changed_at(const Value& value, Names path, const Change& change) {
  if (value.is(Value::Kind::list)) {
    ValueList list;
    for (const auto& element : value.as_list()) list.push_back(changed_at(element, path, change));
    return Value(std::move(list)).with_label(value.label());
  }
  const Value* found = value.find(path.front());
  if (found == nullptr) return value;
  const bool is_map = value.is(Value::Kind::map);
  ValueMap entries = is_map ? value.as_map() : value.as_handle().attributes;
  const Value key(path.front());
  if (path.size() == 1) {
    change(entries, key);
  } else {
    entries.insert_or_assign(key, changed_at(*found, path.subspan(1), change));
  }
  const Value made = is_map ? Value(std::move(entries)) : Value(Handle{value.as_handle().kind, std::move(entries)});
  return made.with_label(value.label());
}

}  // namespace

Mask Mask::below(std::string_view name) const {
  Mask made{.everything = everything, .paths = {}};
  for (const auto& path : paths) {
    if (path.front() != name) continue;
    if (path.size() == 1) return {.everything = true, .paths = {}};
    made.paths.emplace_back(path.begin() + 1, path.end());
  }
  return made;
}

Mask Mask::under(std::string_view name) const {
  if (everything) return {.everything = false, .paths = {{std::string(name)}}};
  Mask made = *this;
  for (auto& path : made.paths) path.insert(path.begin(), std::string(name));
  return made;
}

bool Mask::touches(std::span<const std::string> place) const {
  return everything || std::ranges::any_of(paths, [&](const Path& path) {
           const auto common = std::min(path.size(), place.size());
           return std::ranges::equal(Names(path).first(common), place.first(common));
         });
}

Value Mask::labelled(const Value& value) const {
  if (everything) return value.with_label(Label::masked);
  Value made = value;
  for (const auto& path : paths) {
    made = changed_at(made, path, [](ValueMap& entries, const Value& key) {
      entries.insert_or_assign(key, entries.at(key).with_label(Label::masked));
    });
  }
  return made;
}

Value Mask::without(const Value& value) const {
  if (everything) return {};
  Value made = value;
  for (const auto& path : paths)
    made = changed_at(made, path, [](ValueMap& entries, const Value& key) { entries.erase(key); });
  return made;
}

std::string path_text(const Mask::Path& path) { return fmt::format("{}", fmt::join(path, ".")); }

}  // namespace sallyport::recipe
