#include "shared/recipe/loader.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

using Kind = Value::Kind;

class Differ {
 public:
  void compare(const std::string& path, const Value& before, const Value& after) {
    if (before == after) return;
    if (before.is(Kind::map) && after.is(Kind::map)) return maps(path, before, after);
    if (before.is(Kind::list) && after.is(Kind::list)) {
      return are_steps(before) && are_steps(after) ? steps(path, before, after) : lists(path, before, after);
    }
    changes.push_back({path, Change::Kind::changed, before, after});
  }

  std::vector<Change> changes;

 private:
  static bool are_steps(const Value& list) {
    return std::ranges::all_of(list.as_list(), [](const Value& item) { return id_of(item) != nullptr; });
  }
  static const std::string* id_of(const Value& item) {
    const Value* id = item.is(Kind::map) ? item.find("id") : nullptr;
    return id != nullptr && id->is(Kind::string) ? &id->as_string() : nullptr;
  }

  void either(const std::string& path, const Value* before, const Value* after) {
    if (before != nullptr && after != nullptr) return compare(path, *before, *after);
    if (before != nullptr) changes.push_back({path, Change::Kind::removed, *before, Value()});
    if (after != nullptr) changes.push_back({path, Change::Kind::added, Value(), *after});
  }

  void maps(const std::string& path, const Value& before, const Value& after) {
    ValueMap names = before.as_map();
    names.insert(after.as_map().begin(), after.as_map().end());
    for (const auto& [name, value] : names) {
      const auto& text = name.as_string();
      either(path.empty() ? text : fmt::format("{}.{}", path, text), before.find(text), after.find(text));
    }
  }

  void lists(const std::string& path, const Value& before, const Value& after) {
    const auto& old_items = before.as_list();
    const auto& new_items = after.as_list();
    for (std::size_t i = 0; i < std::max(old_items.size(), new_items.size()); ++i) {
      either(fmt::format("{}[{}]", path, i), i < old_items.size() ? &old_items[i] : nullptr,
             i < new_items.size() ? &new_items[i] : nullptr);
    }
  }

  using Ids = std::vector<std::string>;

  static const Value* find(const Value& list, std::string_view id) {
    const auto it = std::ranges::find_if(list.as_list(), [&](const Value& item) { return *id_of(item) == id; });
    return it == list.as_list().end() ? nullptr : &*it;
  }

  static Ids shared_ids(const Value& list, const Value& other) {
    Ids ids;
    for (const auto& item : list.as_list()) {
      if (find(other, *id_of(item)) != nullptr) ids.push_back(*id_of(item));
    }
    return ids;
  }

  void steps(const std::string& path, const Value& before, const Value& after) {
    for (const auto& item : before.as_list()) {
      either(fmt::format("{}[{}]", path, *id_of(item)), &item, find(after, *id_of(item)));
    }
    for (const auto& item : after.as_list()) {
      if (find(before, *id_of(item)) == nullptr) either(fmt::format("{}[{}]", path, *id_of(item)), nullptr, &item);
    }
    moves(path, shared_ids(before, after), shared_ids(after, before));
  }

  // Steps that both versions have, in another order: takes out what moved, one at a time, until the orders agree.
  void moves(const std::string& path, Ids before, Ids after) {
    const Ids old_order = before, new_order = after;
    const auto position = [](const Ids& ids, const std::string& id) {
      return std::ranges::find(ids, id) - ids.begin();
    };
    while (before != after) {
      const auto farthest = *std::ranges::max_element(
          after, {}, [&](const std::string& id) { return std::abs(position(after, id) - position(before, id)); });
      changes.push_back({fmt::format("{}[{}].position", path, farthest), Change::Kind::changed,
                         Value(position(old_order, farthest) + 1), Value(position(new_order, farthest) + 1)});
      std::erase(before, farthest);
      std::erase(after, farthest);
    }
  }
};

}  // namespace

std::string_view to_string(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::added: return "added";
    case Change::Kind::removed: return "removed";
    case Change::Kind::changed: return "changed";
  }
  return "changed";
}

std::vector<Change> diff(const Recipe& before, const Recipe& after) {
  Differ differ;
  differ.compare({}, to_value(before), to_value(after));
  return std::move(differ.changes);
}

}  // namespace sallyport::recipe
