#pragma once

#include "shared/base/secret.h"
#include "shared/execution/outcome.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace sallyport::execution {

// What of a job is in no journal (docs/decisions/0031): how steps ended whose output is masked, and everything of a job
// that keeps nothing. It outlives the Execution, which is made anew from the journal now and then, and goes with the
// process. Lives on the engine's executor.
class JobMemory {
 public:
  JobMemory() = default;
  explicit JobMemory(std::string trigger_json) : trigger_json_(std::move(trigger_json)) {}
  ~JobMemory() {
    if (trigger_json_) wipe(trigger_json_->data(), trigger_json_->size());
  }
  JobMemory(const JobMemory&) = delete;
  JobMemory& operator=(const JobMemory&) = delete;

  void keep(const StepRun& run, Outcome outcome) {
    outcomes_.insert_or_assign({run.path, run.item}, std::move(outcome));
  }
  const Outcome* outcome_of(const std::string& path, std::int64_t item) const {
    const auto it = outcomes_.find({path, item});
    return it == outcomes_.end() ? nullptr : &it->second;
  }
  const std::optional<std::string>& trigger_json() const { return trigger_json_; }  // of a job that keeps nothing

 private:
  std::map<std::pair<std::string, std::int64_t>, Outcome> outcomes_;
  std::optional<std::string> trigger_json_;
};

}  // namespace sallyport::execution
