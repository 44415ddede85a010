#include "shared/execution/foreach_state.h"

#include <utility>

namespace sallyport::execution {
namespace {

constexpr std::int64_t kMaxAhead = 1'024;

ValueList entries_of(const Value& map) {
  ValueList entries;
  for (const auto& [key, value] : map.as_map()) {
    entries.emplace_back(ValueMap{{"key", key}, {"value", value.with_label(map.label())}});
  }
  return entries;
}

}  // namespace

StepResult<ForeachState> ForeachState::over(const Value& source, const recipe::Foreach& spec,
                                            std::optional<Progress> before) {
  ForeachState state;
  state.spec_ = &spec;
  state.label_ = source.label();
  if (source.is(Value::Kind::handle) && source.as_handle().kind == "rows") {
    state.is_body_ = true;
    state.body_ = source.as_handle();
  } else if (source.is(Value::Kind::list)) {
    state.items_ = source.as_list();
  } else if (source.is(Value::Kind::map)) {
    state.items_ = entries_of(source);
  } else {
    return step_fail("invalid", "`foreach` takes a list, a map or rows, not " + std::string(to_string(source.kind())));
  }
  if (!state.is_body_) {
    const auto size = static_cast<std::int64_t>(state.items_.size());
    if (size > spec.item_limit()) return std::unexpected(state.too_many());
    state.size_ = size;
  }
  if (before) {
    state.next_ = state.complete_below_ = before->next_item;
    state.succeeded_ = before->succeeded;
    state.failed_ = before->failed;
    state.skipped_ = before->skipped;
  }
  return state;
}

StepError ForeachState::too_many() const {
  return {{"too_large"}, "`foreach` over more than " + std::to_string(limit()) + " items: raise `max_items`", {}};
}

std::optional<std::int64_t> ForeachState::next() const {
  if (first_error_ || (size_ && next_ >= *size_) || next_ >= complete_below_ + kMaxAhead) return std::nullopt;
  return next_;
}

Value ForeachState::item(std::int64_t index) const { return labelled(items_[static_cast<std::size_t>(index)]); }

Value ForeachState::labelled(const Value& item) const { return item.with_label(label_); }

void ForeachState::count(StepStatus status) {
  auto& counter = status == StepStatus::succeeded ? succeeded_ : status == StepStatus::skipped ? skipped_ : failed_;
  ++counter;
}

bool ForeachState::complete(std::int64_t index, const Outcome& outcome) {
  const bool fails = outcome.status == StepStatus::in_doubt ||
                     (outcome.error && spec_->on_item_failure == recipe::OnItemFailure::fail);
  if (fails) {
    auto error = outcome.error.value_or(StepError{{"internal"}, "failed", {}});
    error.message.insert(0, "item " + std::to_string(index) + ": ");
    fail(std::move(error));
    return false;  // not passed over: what fails the step stays in the journal
  }
  remember(index, outcome);
  count(outcome.status);
  ahead_.emplace(index, outcome.status);
  const std::int64_t before = complete_below_;
  while (!ahead_.empty() && ahead_.begin()->first == complete_below_) {
    ahead_.erase(ahead_.begin());
    ++complete_below_;
  }
  return complete_below_ != before;
}

void ForeachState::remember(std::int64_t index, const Outcome& outcome) {
  if (index >= kKeptResults) return;
  if (std::cmp_less_equal(results_.size(), index)) results_.resize(static_cast<std::size_t>(index) + 1);
  results_lost_ |= outcome.output_lost || outcome.parts_lost;
  results_unknown_ |= outcome.unknown != Unknown::nothing;
  results_[static_cast<std::size_t>(index)] = outcome.status == StepStatus::succeeded ? outcome.output : Value();
}

void ForeachState::fail(StepError error) {
  const bool graver = error.error_class() == "in_doubt" && first_error_ && first_error_->error_class() != "in_doubt";
  if (!first_error_ || graver) first_error_ = std::move(error);
}

// Counts what is below next_item only: items ahead keep records of their own and are counted again from those.
Progress ForeachState::progress_at(const std::string& path) const {
  Progress progress{path, complete_below_, succeeded_, failed_, skipped_};
  for (const auto& [index, status] : ahead_) {
    auto& counter = status == StepStatus::succeeded ? progress.succeeded
                    : status == StepStatus::skipped ? progress.skipped
                                                    : progress.failed;
    --counter;
  }
  return progress;
}

Label ForeachState::results_label() const {
  Label label = Label::none;
  for (const auto& result : results_) label = label | result.label();
  return label;
}

Value ForeachState::output() const {
  return Value(ValueMap{
      {"count", Value(succeeded_ + failed_ + skipped_)}, {"failed", Value(failed_)}, {"results", Value(results_)}});
}

}  // namespace sallyport::execution
