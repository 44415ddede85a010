#include "shared/expr/carrying.h"
#include "shared/expr/compare.h"
#include "shared/expr/evaluator.h"

#include <optional>

namespace sallyport::expr {

// The state of one macro while it goes over its elements. `step` is called with the variables set; it may set `result`
// to stop early.
class Evaluator::Loop {
 public:
  Loop(Evaluator& evaluator, const Node& node, Label range) : evaluator_(evaluator), node_(node), label_(range) {}

  // False when the result is known.
  std::expected<bool, Failure> step(const Value& key);
  Answer finish();
  Label label() const { return label_; }

 private:
  std::expected<bool, Failure> decide(bool decisive);
  std::expected<bool, Failure> count();
  std::expected<bool, Failure> keep(const Value& element);
  std::expected<bool, Failure> passes();
  std::expected<bool, Failure> transform(const Value& key);
  std::expected<bool, Failure> add_entry(Value key, Value value);
  std::expected<bool, Failure> merge(const Value& entry);
  Answer boolean(NodeId id);

  Evaluator& evaluator_;
  const Node& node_;
  Label label_;                     // of the range and of every condition so far
  std::optional<Failure> failure_;  // the first that may still be absorbed
  bool decided_ = false;
  int matches_ = 0;
  ValueList list_;
  ValueMap map_;
};

Answer Evaluator::Loop::boolean(NodeId id) {
  auto answer = evaluator_.evaluate(id);
  if (answer && !answer->is(Value::Kind::boolean))
    return evaluator_.refuse(evaluator_.ast_[id], "the condition of a macro", std::span(&*answer, 1));
  if (evaluator_.must_not_see(answer ? answer->label() : answer.error().label))
    return std::unexpected(looks_into("the condition of a macro"));
  return answer;
}

std::expected<bool, Failure> Evaluator::Loop::decide(bool decisive) {
  auto answer = boolean(node_.children[1]);
  if (!answer && answer.error().kind == Failure::Kind::exhausted) return std::unexpected(std::move(answer).error());
  label_ = label_ | (answer ? answer->label() : answer.error().label);
  if (!answer) {
    if (!failure_) failure_ = std::move(answer).error();
    return true;
  }
  decided_ = answer->as_bool() == decisive;
  return !decided_;
}

std::expected<bool, Failure> Evaluator::Loop::count() {
  SP_TRY(const auto answer, boolean(node_.children[1]));
  label_ = label_ | answer.label();
  matches_ += answer.as_bool() ? 1 : 0;
  return true;
}

std::expected<bool, Failure> Evaluator::Loop::keep(const Value& element) {
  SP_TRY(const auto answer, boolean(node_.children[1]));
  label_ = label_ | answer.label();
  if (answer.as_bool()) list_.push_back(element);
  return true;
}

std::expected<bool, Failure> Evaluator::Loop::passes() {
  if (node_.children.size() < 3) return true;
  SP_TRY(const auto answer, boolean(node_.children[1]));
  label_ = label_ | answer.label();
  return answer.as_bool();
}

std::expected<bool, Failure> Evaluator::Loop::transform(const Value& key) {
  SP_TRY(const bool wanted, passes());
  if (!wanted) return true;
  SP_TRY(auto made, evaluator_.evaluate(node_.children.back()));
  if (node_.macro == Macro::transform_map) return add_entry(key, std::move(made));
  if (node_.macro == Macro::transform_map_entry) return merge(made);
  list_.push_back(std::move(made));
  return true;
}

std::expected<bool, Failure> Evaluator::Loop::add_entry(Value key, Value value) {
  label_ = label_ | key.label();
  if (!map_.emplace(std::move(key), std::move(value)).second)
    return failed("Failed with repeated key: the map has a duplicate key");
  return true;
}

std::expected<bool, Failure> Evaluator::Loop::merge(const Value& entry) {
  if (!entry.is(Value::Kind::map)) return evaluator_.refuse(node_, "transformMapEntry", std::span(&entry, 1));
  label_ = label_ | entry.label();
  SP_CHECK(evaluator_.budget_.spend(entry.as_map().size()));
  for (const auto& [key, value] : entry.as_map()) SP_CHECK(add_entry(key, value));
  return true;
}

std::expected<bool, Failure> Evaluator::Loop::step(const Value& key) {
  SP_CHECK(evaluator_.budget_.spend(1));
  switch (node_.macro) {
    case Macro::all: return decide(false);
    case Macro::exists: return decide(true);
    case Macro::exists_one: return count();
    case Macro::filter: return keep(*evaluator_.slots_[static_cast<std::size_t>(node_.slot)]);
    default: return transform(key);
  }
}

Answer Evaluator::Loop::finish() {
  switch (node_.macro) {
    case Macro::all:
    case Macro::exists:
      if (!decided_ && failure_) {
        failure_->label = failure_->label | label_;
        return std::unexpected(*std::move(failure_));
      }
      return Value(decided_ == (node_.macro == Macro::exists)).with_label(label_);
    case Macro::exists_one: return Value(matches_ == 1).with_label(label_);
    case Macro::transform_map:
    case Macro::transform_map_entry: return Value(std::move(map_)).with_label(label_);
    default: return Value(std::move(list_)).with_label(label_);
  }
}

Answer Evaluator::comprehension(const Node& node) {
  SP_TRY(const auto range, evaluate(node.children[0]));
  const bool is_list = range.is(Value::Kind::list);
  if (!is_list && !range.is(Value::Kind::map)) return refuse(node, "a macro over elements", std::span(&range, 1));
  Loop loop(*this, node, range.label());
  const auto visit = [&](const Value& key, const Value& element) -> std::expected<bool, Failure> {
    const auto& first = node.second_slot >= 0 || !is_list ? key : element;
    slots_[static_cast<std::size_t>(node.slot)] = first.with_label(range.label());
    if (node.second_slot >= 0) slots_[static_cast<std::size_t>(node.second_slot)] = element.with_label(range.label());
    return loop.step(key);
  };
  const auto leave = [&](Failure failure) {
    failure.label = failure.label | loop.label();
    return std::unexpected(std::move(failure));
  };
  std::int64_t index = 0;
  if (is_list) {
    for (const auto& element : range.as_list()) {
      const auto more = visit(Value(index++), element);
      if (!more) return leave(more.error());
      if (!*more) break;
    }
  } else {
    for (const auto& [key, element] : range.as_map()) {
      const auto more = visit(key, element);
      if (!more) return leave(more.error());
      if (!*more) break;
    }
  }
  return loop.finish();
}

}  // namespace sallyport::expr
