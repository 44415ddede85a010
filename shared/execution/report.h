#pragma once

#include "shared/base/ids.h"
#include "shared/base/redactor.h"
#include "shared/execution/step_result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// What the agent tells the relay about a job, as plain data. Texts named *_json are redacted already: what is here may
// be sent, stored and shown.
namespace sallyport::execution::report {

struct JobStarted {
  RecipeId recipe;
  std::uint32_t recipe_version = 0;
  std::string trigger_json;  // only of a job the agent started itself
  std::string event_key;
  std::string trigger_kind;
};
struct StepStarted {
  std::string path;
  std::uint32_t attempt = 1;
  std::string uses;
  std::string input_json;
};
struct StepFinished {
  std::string path;
  std::uint32_t attempt = 1;
  std::string status;
  std::string output_json;
  std::string error_class;
  std::string message;
  std::optional<std::int64_t> retry_at_ms;
  std::string uses = {};
  Plan plan = Plan::none;  // of a dry run
};
struct StepLog {
  std::string path;
  std::string level;
  std::string text;
};
struct JobFinished {
  std::string status;
  std::string error_class;
  std::string message;
  std::string failed_step;
};
struct AgentEvent {
  std::string kind;
  std::string rule;
  std::string message;
};

using Body = std::variant<JobStarted, StepStarted, StepFinished, StepLog, JobFinished, AgentEvent>;

// The same without the secrets that are in use, whatever form they have in it.
Body redacted(Body body, const Redactor& redactor);
// What is told of a job that keeps nothing: what ran and how it ended, in words of its own; nullopt: nothing.
std::optional<Body> without_payload(Body body);

}  // namespace sallyport::execution::report
