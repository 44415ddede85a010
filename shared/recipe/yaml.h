#pragma once

#include "shared/base/value.h"
#include "shared/recipe/problem.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

// The strict part of YAML 1.2 in which all our files are written: recipes, agent.yaml, connections.yaml, policy.yaml.
namespace sallyport::yaml {

enum class Style { plain, single_quoted, double_quoted, literal, folded };

struct Member;

// One node of a parsed file. Owns everything below it.
struct Node {
  enum class Kind { scalar, sequence, mapping };

  Kind kind = Kind::scalar;
  Position at;                  // of the first character, an opening quote or bracket included
  Style style = Style::plain;   // scalars
  std::string text;             // scalars: the content, quotes and escapes resolved
  Value value;                  // scalars: what the content means (see below)
  std::vector<Node> items;      // sequences
  std::vector<Member> members;  // mappings, in the order of the file

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }
  bool is_text() const { return is_scalar() && value.is(Value::Kind::string); }
  const Node* find(std::string_view key) const;  // the member of a mapping, or nullptr
};
struct Member {
  std::string key;  // keys are always text: `on: x` has the key "on"
  Position at;
  Node value;
};

struct Limits {
  std::size_t max_bytes = 512u << 10;  // checked before anything is parsed
  std::size_t max_depth = 32;
  std::size_t max_nodes = 20'000;
};

// Parses one document. Refused, each with a rule id:
//   too-large, bad-utf8, yaml-syntax, empty-document, yaml-documents (more than one), yaml-directive, yaml-anchor
//   (anchors and aliases), yaml-tag, yaml-merge-key, yaml-key (a key that is not a scalar), duplicate-key, too-deep,
//   too-many-nodes, number-range.
// Plain scalars mean: `true`, `false`; `null`, `~` and nothing = null; a JSON number without fraction and exponent =
// int64 (exact, or number-range); any other JSON number = double; everything else is text: `no`, `on`, `0123`, `0x1F`,
// `1_000`, `.inf`, `2026-01-01`. Quoted and block scalars are always text.
std::expected<Node, Problems> parse(std::string_view text, std::string_view file, Limits limits = {});

// The same tree from a value of JSON types (positions {0, 0}); other kinds of value become null.
Node from_value(const Value& value);
// The data of a tree; positions and styles are lost.
Value to_value(const Node& node);

// Where byte `offset` of the scalar's `text` stands in `source`, the text the scalar was parsed from: looks through
// quotes, escapes, folding and block indentation. The scalar's own position when the source does not match.
Position locate(std::string_view source, const Node& scalar, std::size_t offset);

}  // namespace sallyport::yaml
