#include "shared/recipe/stream.h"

#include "shared/recipe/fields.h"
#include "shared/recipe/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <ranges>
#include <set>

namespace sallyport::recipe {
namespace {

using yaml::FieldReader;
using yaml::Member;
using yaml::Need;
using yaml::Node;

constexpr std::array<std::string_view, 2> kPer{"row", "batch"};
constexpr std::array<std::string_view, 4> kOfStreams{"id", "if", "foreach", "stop"};

// What flows: the first field or output of an action that is rows or a body.
constexpr Types kFlowing = Types::rows | Types::body;

bool flows(Types types) { return has(types, Types::rows) || has(types, Types::body); }

template <class T>
const T* flowing(std::span<const T> list) {
  const auto found = std::ranges::find_if(list, [](const T& one) { return flows(one.types); });
  return found == list.end() ? nullptr : &*found;
}

Node text_node(std::string text, yaml::Position at) {
  Node node{.at = at, .text = std::move(text)};
  node.value = Value(node.text);
  return node;
}

std::size_t size_of(const Node& node) {
  std::size_t size = node.text.size() + 1;
  for (const auto& item : node.items) size += size_of(item);
  for (const auto& [key, at, value] : node.members) size += key.size() + size_of(value);
  return size;
}

// What the part before hands on.
struct Flow {
  std::string from;  // "sql.query@1", for messages
  std::string path;  // `steps["nightly_orders"].output`, or `trigger`
  const OutputField* field;
  bool has_batches;
};

// The named parts of one key: `sources`, `transformations` or `destinations`.
struct Parts {
  std::string_view key, one;
  std::map<std::string, const Node*, std::less<>> parts = {};
  std::set<std::string, std::less<>> used = {};
};

class Expansion {
 public:
  Expansion(Node& recipe, yaml::Report& report) : recipe_(recipe), report_(report) {}

  void run() {
    for (auto* kind : {&sources_, &transformations_, &destinations_}) note(*kind);
    if (const auto* uses = trigger_uses()) trigger_ = find_trigger(uses->text);
    if (auto* steps = find("steps"); steps != nullptr && steps->is_sequence())
      steps->items = expanded(std::move(steps->items));
    left_out_ = !report_.clean();
    for (const auto* kind : {&sources_, &transformations_, &destinations_}) tell_unused(*kind);
    std::erase_if(recipe_.members, [&](const Member& member) {
      return member.key == sources_.key || member.key == transformations_.key || member.key == destinations_.key;
    });
  }

 private:
  Node* find(std::string_view key) {
    const auto found = std::ranges::find(recipe_.members, key, &Member::key);
    return found == recipe_.members.end() ? nullptr : &found->value;
  }
  const Node* trigger_uses() {
    const auto* trigger = find("trigger");
    const auto* uses = trigger == nullptr || !trigger->is_mapping() ? nullptr : trigger->find("uses");
    return uses != nullptr && uses->is_text() ? uses : nullptr;
  }

  void note(Parts& kind) {
    const auto* all = find(kind.key);
    if (all == nullptr) return;
    if (!all->is_mapping())
      return report_.add(all->at, "wrong-type", fmt::format("`{}` is a mapping of names to steps", kind.key));
    for (const auto& member : all->members) kind.parts.emplace(member.key, &member.value);
  }

  // Of streams that were left out nothing can be said.
  void tell_unused(const Parts& kind) {
    if (left_out_) return;
    for (const auto& [name, part] : kind.parts) {
      if (kind.used.contains(name)) continue;
      report_.add(part->at, "unused-part", fmt::format("no stream names the {} {}", kind.one, yaml::quoted(name)));
    }
  }

  std::vector<Node> expanded(std::vector<Node> items) {
    std::vector<Node> made;
    for (auto& item : items) {
      if (item.find("stream") == nullptr) {
        made.push_back(std::move(item));
      } else {
        expand(item, made);
      }
    }
    return made;
  }

  void expand(const Node& entry, std::vector<Node>& made) {
    FieldReader fields(entry, report_, "a stream");
    const auto id = fields.text("stream", Need::required);
    const auto from = fields.text("from", Need::required);
    const auto through = fields.texts("through");
    const auto* condition = fields.any("if");
    auto to = destinations_of(fields);
    fields.finish();
    if (!id || !from || to.empty()) return;
    Stream stream{entry, *id, condition, {}};
    if (!begin(stream, *from)) return;
    for (const auto& name : through) {
      if (!add(stream, transformations_, name)) return;
    }
    const auto last = stream.flow;
    for (const auto& name : to) {
      stream.flow = last;
      if (!add(stream, destinations_, name)) return;
    }
    std::ranges::move(stream.steps, std::back_inserter(made));
  }

  static std::vector<std::string> destinations_of(FieldReader& fields) {
    const auto* to = fields.any("to", Need::required);
    if (to == nullptr || to->is_sequence()) return fields.texts("to");
    auto one = fields.text("to");
    return one ? std::vector{*std::move(one)} : std::vector<std::string>();
  }

  struct Stream {
    const Node& entry;
    std::string id;
    const Node* condition;
    std::optional<Flow> flow;
    std::vector<Node> steps = {};
  };

  bool begin(Stream& stream, const std::string& from) {
    if (from != "trigger") return add(stream, sources_, from);
    const auto* field = trigger_ == nullptr ? nullptr : flowing(trigger_->data);
    if (field != nullptr) {
      stream.flow = Flow{std::string(trigger_->name), "trigger", field, false};
      return true;
    }
    return refuse(stream, "the trigger of this recipe gives no body and no rows");
  }

  bool refuse(const Stream& stream, std::string why) {
    report_.add(stream.entry.at, "stream", std::move(why));
    return false;
  }

  // The next step of a stream: the part of that name, with what came before put into it.
  bool add(Stream& stream, Parts& kind, const std::string& name) {
    const auto found = kind.parts.find(name);
    if (found == kind.parts.end()) {
      const auto keys = kind.parts | std::views::keys;
      const std::vector<std::string_view> known(keys.begin(), keys.end());
      return refuse(stream,
                    fmt::format("`{}` has no {}{}", kind.key, yaml::quoted(name), yaml::suggestion(name, known)));
    }
    kind.used.insert(name);
    const auto& part = *found->second;
    const auto* action = action_of(part);
    if (action == nullptr) return false;
    const auto id = stream.id + "_" + name;
    Node step{.kind = Node::Kind::mapping, .at = part.at};
    step.members.push_back({"id", stream.entry.at, text_node(id, stream.entry.at)});
    if (stream.condition != nullptr) step.members.push_back({"if", stream.condition->at, *stream.condition});
    for (const auto& member : part.members) {
      if (member.key != "with" && member.key != "per") step.members.push_back(member);
    }
    const auto* with = part.find("with");
    Node arguments = with != nullptr ? *with : Node{.kind = Node::Kind::mapping, .at = part.at};
    if (&kind != &sources_ && !join(stream, part, *action, step, arguments)) return false;
    step.members.push_back({"with", arguments.at, std::move(arguments)});
    return keep(stream, std::move(step), *action, id);
  }

  const ActionInfo* action_of(const Node& part) {
    FieldReader fields(part, report_, "a part of a stream");
    const auto* uses = fields.text_node("uses", Need::required);
    bool fits = uses != nullptr;
    for (const auto key : kOfStreams) {
      const auto* node = fields.any(key);
      if (node == nullptr) continue;
      fields.problem(key, "conflicting-keys", fmt::format("`{}` has no meaning in a part of a stream", key));
      fits = false;
    }
    return fits ? known_action(*uses, report_) : nullptr;
  }

  // Fills the field that takes what flows.
  bool join(const Stream& stream, const Node& part, const ActionInfo& action, Node& step, Node& arguments) {
    if (!stream.flow)
      return refuse(stream,
                    fmt::format("what stands before `{}` gives no body and no rows: it can only be last", action.name));
    const auto& flow = *stream.flow;
    FieldReader fields(part, report_, "a part of a stream");
    const auto per = fields.choice("per", kPer);
    const auto* into = flowing(action.fields);
    if (into == nullptr) return refuse(stream, fmt::format("`{}` takes no body and no rows", action.name));
    if (arguments.find(into->name) != nullptr)
      return refuse(stream, fmt::format("`{}` of `{}` is filled by the stream: leave it out", into->name, action.name));
    if (per) return loop(stream, flow, *per, *into, step, arguments);
    if (!has_common(into->types, flow.field->types))
      return refuse(stream, fmt::format("`{}` gives {}, and `{}` takes {}: put what turns one into the other between "
                                        "them",
                                        flow.from, to_string(flow.field->types), action.name, to_string(into->types)));
    put(arguments, into->name, fmt::format("${{{{ {}.{} }}}}", flow.path, flow.field->name), stream.entry.at);
    return true;
  }

  bool loop(const Stream& stream, const Flow& flow, std::string_view per, const Field& into, Node& step,
            Node& arguments) {
    const bool rows = per == "row";
    if (!has(flow.field->types, Types::rows) || (!rows && !flow.has_batches))
      return refuse(stream, fmt::format("`per: {}` needs rows, and `{}` gives none", per, flow.from));
    if (!has(into.types, rows ? Types::map : Types::list) && !has(into.types, Types::any))
      return refuse(stream, fmt::format("`{}` takes no {}: leave `per` out", into.name, rows ? "single row" : "list"));
    const auto over = fmt::format("${{{{ {}.{} }}}}", flow.path, rows ? flow.field->name : "batches");
    step.members.push_back({"foreach", stream.entry.at, text_node(over, stream.entry.at)});
    put(arguments, into.name, "${{ item }}", stream.entry.at);
    return true;
  }

  static bool has_common(Types a, Types b) {
    return (static_cast<int>(a) & static_cast<int>(b) & static_cast<int>(kFlowing)) != 0;
  }
  static void put(Node& arguments, std::string_view name, std::string text, yaml::Position at) {
    arguments.members.push_back({std::string(name), at, text_node(std::move(text), at)});
  }

  bool keep(Stream& stream, Node step, const ActionInfo& action, const std::string& id) {
    growth_ += size_of(step);
    if (growth_ > kMostGrowth)
      return refuse(stream,
                    fmt::format("the streams of a recipe become steps of at most {} KiB together", kMostGrowth >> 10));
    const bool looped = step.find("foreach") != nullptr;
    stream.steps.push_back(std::move(step));
    stream.flow.reset();
    const auto* out = looped ? nullptr : flowing(action.output);
    if (out == nullptr) return true;
    const bool batches = std::ranges::find(action.output, "batches", &OutputField::name) != action.output.end();
    stream.flow = Flow{std::string(action.name), fmt::format("steps[\"{}\"].output", id), out, batches};
    return true;
  }

  Node& recipe_;
  yaml::Report& report_;
  Parts sources_{"sources", "source"};
  Parts transformations_{"transformations", "transformation"};
  Parts destinations_{"destinations", "destination"};
  const TriggerInfo* trigger_ = nullptr;
  std::size_t growth_ = 0;
  bool left_out_ = false;
};

}  // namespace

void expand_streams(Node& recipe, yaml::Report& report) {
  if (recipe.is_mapping()) Expansion(recipe, report).run();
}

}  // namespace sallyport::recipe
