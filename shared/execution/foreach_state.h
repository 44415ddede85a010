#pragma once

#include "shared/execution/outcome.h"
#include "shared/recipe/model.h"

#include <map>
#include <optional>
#include <string>

namespace sallyport::execution {

inline constexpr std::int64_t kKeptResults = 100;

// How far the items of one foreach have come. Lists and maps are in memory; a body is read item by item, and only a
// bounded number of items ahead of the first incomplete one, so that neither memory nor journal grow with its length.
class ForeachState {
 public:
  // `source` is a list, a map or a rows handle; class invalid otherwise.
  static StepResult<ForeachState> over(const Value& source, const recipe::Foreach& spec,
                                       std::optional<Progress> before);

  // The next item nobody has begun; nullopt: none may begin now (all taken, too far ahead, or an item failed).
  std::optional<std::int64_t> next() const;
  void take() { ++next_; }
  bool has_taken(std::int64_t index) const { return index < next_; }
  bool is_body() const { return is_body_; }
  const Handle& body() const { return body_; }
  Label label() const { return label_; }              // of what the items come from
  Value item(std::int64_t index) const;               // of a list or map
  Value labelled(const Value& item) const;            // of a body
  void end_at(std::int64_t index) { size_ = index; }  // the body has no more

  // Item `index` ended. True when it and all before it are complete, and therefore progress_at() moved.
  bool complete(std::int64_t index, const Outcome& outcome);
  // Outputs of earlier items, after a restart.
  void remember(std::int64_t index, const Outcome& outcome);
  // True when there is something to gain from saving progress_at(), instead of one record for each item.
  bool saves_progress() const { return complete_below_ > kKeptResults; }
  Progress progress_at(const std::string& path) const;

  bool all_complete() const { return size_ && complete_below_ == *size_; }
  const std::optional<StepError>& first_error() const { return first_error_; }  // when it fails the step
  void fail(StepError error);  // the first counts, but a doubt more than what is certain
  // What the items gave has no label in it; this is the label of all of it.
  Label results_label() const;
  bool results_lost() const { return results_lost_; }        // some were in memory only, and are not there any more
  bool results_unknown() const { return results_unknown_; }  // a dry run only planned some of them
  // {count, failed, results}: the outputs of the first kKeptResults items, null for a failed or skipped one.
  Value output() const;
  std::int64_t concurrency() const { return spec_->concurrency; }
  std::int64_t limit() const { return spec_->item_limit(); }
  StepError too_many() const;  // there are more items than that

 private:
  void count(StepStatus status);

  const recipe::Foreach* spec_ = nullptr;
  bool is_body_ = false;
  Handle body_;
  ValueList items_;
  Label label_ = Label::none;
  std::optional<std::int64_t> size_;
  std::int64_t next_ = 0;
  std::int64_t complete_below_ = 0;
  std::map<std::int64_t, StepStatus> ahead_;  // complete, with an incomplete one before it
  std::int64_t succeeded_ = 0, failed_ = 0, skipped_ = 0;
  ValueList results_;
  bool results_lost_ = false;
  bool results_unknown_ = false;
  std::optional<StepError> first_error_;
};

}  // namespace sallyport::execution
