#include "shared/recipe/yaml.h"

#include "shared/base/json.h"
#include "shared/recipe/scalar.h"

#include <fmt/format.h>
#include <yaml.h>

#include <memory>
#include <set>

namespace sallyport::yaml {
namespace {

Position position(const yaml_mark_t& mark) {
  return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
}

Style style_of(yaml_scalar_style_t style) {
  switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return Style::single_quoted;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return Style::double_quoted;
    case YAML_LITERAL_SCALAR_STYLE: return Style::literal;
    case YAML_FOLDED_SCALAR_STYLE: return Style::folded;
    default: return Style::plain;
  }
}

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&raw_); }

  bool read(yaml_parser_t& parser) {
    yaml_event_delete(&raw_);
    return yaml_parser_parse(&parser, &raw_) == 1;
  }
  const yaml_event_t& raw() const { return raw_; }
  yaml_event_type_t type() const { return raw_.type; }
  Position at() const { return position(raw_.start_mark); }

 private:
  yaml_event_t raw_{};
};

// Builds the tree from libyaml's events. A problem that does not hide the rest is reported and parsing goes on; after
// the others stopped_ is set and every function returns at once.
class Parser {
 public:
  Parser(std::string_view text, Limits limits, Report& report) : text_(text), limits_(limits), report_(report) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    if (ready_) yaml_parser_delete(&parser_);
  }

  Node document() {
    Node root;
    if (!ready_) return stop({}, "yaml-syntax", "out of memory"), root;
    if (!advance() || !advance()) return root;
    if (event_.type() == YAML_STREAM_END_EVENT) return stop({1, 1}, "empty-document", "the file is empty"), root;
    check_directives();
    if (advance()) root = node(0);
    if (root.is_scalar() && root.value.is_null()) stop(root.at, "empty-document", "the file is empty");
    if (!advance() || !advance()) return root;
    if (event_.type() != YAML_STREAM_END_EVENT)
      stop(event_.at(), "yaml-documents", "a file holds one document: remove what follows `---`");
    return root;
  }

 private:
  void stop(Position at, std::string_view rule, std::string message) {
    if (!stopped_) report_.add(at, rule, std::move(message));
    stopped_ = true;
  }

  bool advance() {
    if (stopped_) return false;
    if (!event_.read(parser_)) stop_at_syntax();
    return !stopped_;
  }

  void stop_at_syntax() {
    const std::string_view problem = parser_.problem != nullptr ? parser_.problem : "not YAML";
    if (parser_.error == YAML_READER_ERROR) {
      return stop(position_of_byte(text_, parser_.problem_offset), "yaml-syntax", std::string(problem));
    }
    const std::string_view context = parser_.context != nullptr ? parser_.context : "";
    if (context.ends_with("an alias") || context.ends_with("an anchor")) {
      return stop(position(parser_.context_mark), "yaml-syntax", "a value that begins with `*` or `&` needs quotes");
    }
    const auto at = position(parser_.problem_mark);
    if (byte_at(text_, at) == '\t') return stop(at, "yaml-syntax", "a tab: indent with spaces");
    stop(at, "yaml-syntax", context.empty() ? std::string(problem) : fmt::format("{}: {}", context, problem));
  }

  void check_directives() {
    const auto& start = event_.raw().data.document_start;
    if (start.version_directive != nullptr || start.tag_directives.start != start.tag_directives.end) {
      report_.add(event_.at(), "yaml-directive", "directives (`%YAML`, `%TAG`) are not allowed");
    }
  }

  void refuse_properties(const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr)
      report_.add(event_.at(), "yaml-anchor",
                  "anchors and aliases are not allowed: write the value where it is needed");
    if (tag != nullptr) report_.add(event_.at(), "yaml-tag", "tags are not allowed: quote a value to make it text");
  }

  // The node that the current event begins; afterwards the current event is its last one.
  Node node(std::size_t depth) {
    Node made;
    made.at = event_.at();
    if (++nodes_ > limits_.max_nodes)
      return stop(made.at, "too-many-nodes", fmt::format("more than {} values", limits_.max_nodes)), made;
    const auto& data = event_.raw().data;
    switch (event_.type()) {
      case YAML_SCALAR_EVENT: scalar(made); break;
      case YAML_ALIAS_EVENT: refuse_properties(data.alias.anchor, nullptr); break;
      case YAML_SEQUENCE_START_EVENT:
        refuse_properties(data.sequence_start.anchor, data.sequence_start.tag);
        if (enter(made.at, depth)) sequence(made, depth);
        break;
      case YAML_MAPPING_START_EVENT:
        refuse_properties(data.mapping_start.anchor, data.mapping_start.tag);
        if (enter(made.at, depth)) mapping(made, depth);
        break;
      default: stop(made.at, "yaml-syntax", "not YAML");
    }
    return made;
  }

  bool enter(Position at, std::size_t depth) {
    if (depth >= limits_.max_depth)
      stop(at, "too-deep", fmt::format("nested more than {} levels deep", limits_.max_depth));
    return !stopped_;
  }

  void scalar(Node& made) {
    const auto& data = event_.raw().data.scalar;
    refuse_properties(data.anchor, data.tag);
    made.style = style_of(data.style);
    made.text.assign(reinterpret_cast<const char*>(data.value), data.length);
    if (made.style != Style::plain) {
      made.value = Value(made.text);
    } else if (auto value = plain_value(made.text)) {
      made.value = *std::move(value);
    } else {
      report_.add(made.at, "number-range", "the number does not fit: quote it to keep it as text");
    }
  }

  void sequence(Node& made, std::size_t depth) {
    made.kind = Node::Kind::sequence;
    while (advance() && event_.type() != YAML_SEQUENCE_END_EVENT) made.items.push_back(node(depth + 1));
  }

  void mapping(Node& made, std::size_t depth) {
    made.kind = Node::Kind::mapping;
    std::set<std::string> seen;
    while (advance() && event_.type() != YAML_MAPPING_END_EVENT) {
      Node key = node(depth + 1);
      if (!advance()) return;
      Node value = node(depth + 1);
      if (!key.is_scalar()) {
        report_.add(key.at, "yaml-key", "a key must be a word or a quoted text");
      } else if (key.style == Style::plain && key.text == "<<") {
        report_.add(key.at, "yaml-merge-key", "merge keys are not allowed: write the fields where they are needed");
      } else if (!seen.insert(key.text).second) {
        report_.add(key.at, "duplicate-key", fmt::format("key {} appears twice", quoted(key.text)));
      } else {
        made.members.push_back({std::move(key.text), key.at, std::move(value)});
      }
    }
  }

  std::string_view text_;
  Limits limits_;
  Report& report_;
  yaml_parser_t parser_{};
  Event event_;
  bool ready_ = false;
  bool stopped_ = false;
  std::size_t nodes_ = 0;
};

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const auto& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::expected<Node, Problems> parse(std::string_view text, std::string_view file, Limits limits) {
  Report report{std::string(file)};
  if (text.size() > limits.max_bytes) {
    report.add({}, "too-large", fmt::format("{} bytes; at most {} are allowed", text.size(), limits.max_bytes));
    return std::unexpected(report.take());
  }
  text = without_bom(text);
  if (const auto bad = first_invalid_utf8(text)) {
    report.add(*bad, "bad-utf8", "not UTF-8: save the file with the encoding UTF-8");
    return std::unexpected(report.take());
  }
  Node root = Parser(text, limits, report).document();
  if (!report.clean()) return std::unexpected(report.take());
  return root;
}

Node from_value(const Value& value) {
  Node made;
  if (value.is(Value::Kind::list)) {
    made.kind = Node::Kind::sequence;
    for (const auto& item : value.as_list()) made.items.push_back(from_value(item));
  } else if (value.is(Value::Kind::map)) {
    made.kind = Node::Kind::mapping;
    for (const auto& [key, member] : value.as_map()) {
      if (key.is(Value::Kind::string)) made.members.push_back({key.as_string(), {}, from_value(member)});
    }
  } else if (value.is(Value::Kind::string)) {
    made.style = Style::double_quoted;
    made.text = value.as_string();
    made.value = value;
  } else if (value.is(Value::Kind::boolean) || value.is(Value::Kind::int64) || value.is(Value::Kind::uint64) ||
             value.is(Value::Kind::float64)) {
    made.text = to_json(value);
    made.value = value;
  }
  return made;
}

Value to_value(const Node& node) {
  if (node.is_scalar()) return node.value;
  if (node.is_sequence()) {
    ValueList items;
    items.reserve(node.items.size());
    for (const auto& item : node.items) items.push_back(to_value(item));
    return Value(std::move(items));
  }
  ValueMap members;
  for (const auto& member : node.members) members.emplace(Value(member.key), to_value(member.value));
  return Value(std::move(members));
}

}  // namespace sallyport::yaml
