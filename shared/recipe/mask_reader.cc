#include "shared/recipe/reading.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

using yaml::Node;

bool is_member(std::string_view text) {
  return !text.empty() && text.size() <= kMaxMaskMember && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// Nothing when it has a wrong form.
Mask::Path split(std::string_view text) {
  Mask::Path path;
  for (;;) {
    const auto dot = text.find('.');
    if (!is_member(text.substr(0, dot)) || path.size() == kMaxMaskDepth) return {};
    path.emplace_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return path;
    text.remove_prefix(dot + 1);
  }
}

class MaskReader {
 public:
  MaskReader(yaml::Report& report, std::span<const MaskRoot> roots) : report_(report), roots_(roots) {}

  std::vector<Mask::Path> read(const Node& list) {
    std::vector<Mask::Path> made;
    if (list.items.empty()) report_.add(list.at, "missing-field", "`mask` is empty: leave it out, or name paths");
    if (list.items.size() > kMaxMaskPaths) {
      report_.add(list.at, "too-large",
                  fmt::format("`mask` has at most {} paths: name what holds them", kMaxMaskPaths));
      return made;
    }
    for (const auto& item : list.items) {
      auto path = read_path(item);
      if (path.empty()) continue;
      if (Mask{.everything = false, .paths = made}.touches(path)) {
        report_.add(item.at, "bad-mask",
                    fmt::format("{} is masked by another path already, or holds one that is", yaml::quoted(item.text)));
      }
      made.push_back(std::move(path));
    }
    return made;
  }

 private:
  Mask::Path read_path(const Node& node) {
    if (!node.is_text()) {
      report_.add(node.at, "wrong-type", fmt::format("a path of `mask` must be text, not {}", yaml::describe(node)));
      return {};
    }
    auto path = split(node.text);
    if (path.empty()) {
      report_.add(node.at, "bad-mask",
                  fmt::format("a path of `mask` is 1 to {} names with `.` between them, each of a-z, A-Z, 0-9, `_` and "
                              "`-` and of at most {} characters; a list is passed through",
                              kMaxMaskDepth, kMaxMaskMember));
    } else if (!roots_.empty()) {
      check_names(node, path);
    }
    return path;
  }

  void check_names(const Node& node, const Mask::Path& path) {
    const auto root = std::ranges::find(roots_, path[0], &MaskRoot::name);
    std::vector<std::string_view> known;
    if (root == roots_.end()) {
      for (const auto& one : roots_) known.push_back(one.name);
      return unknown(node, "a path of `mask` begins", path[0], known);
    }
    if (path.size() < 2 || root->members.empty()) return;
    if (std::ranges::find(root->members, path[1]) == root->members.end())
      unknown(node, fmt::format("`{}` goes on", path[0]), path[1], root->members);
  }

  void unknown(const Node& node, std::string_view what, std::string_view name,
               std::span<const std::string_view> known) {
    report_.add(node.at, "unknown-name",
                fmt::format("{} with one of {}, not with {}{}", what, fmt::join(known, ", "), yaml::quoted(name),
                            yaml::suggestion(name, known)));
  }

  yaml::Report& report_;
  std::span<const MaskRoot> roots_;
};

}  // namespace

Mask read_mask(yaml::FieldReader& fields, std::span<const MaskRoot> roots) {
  const Node* node = fields.any("mask");
  if (node == nullptr) return {};
  if (node->is_sequence()) return {.everything = false, .paths = MaskReader(fields.report(), roots).read(*node)};
  if (node->is_scalar() && node->value.is(Value::Kind::boolean))
    return {.everything = node->value.as_bool(), .paths = {}};
  fields.problem("mask", "wrong-type",
                 fmt::format("`mask` must be true, false or a list of paths, not {}", yaml::describe(*node)));
  return {};
}

}  // namespace sallyport::recipe
