#pragma once

#include "shared/base/value.h"
#include "shared/recipe/argument.h"
#include "shared/recipe/mask.h"
#include "shared/recipe/problem.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A validated recipe. docs/recipes.md is the reference of every key; names here are the keys.
// Made by loader.h only. Optional members hold what was written; the functions give the value that counts.
namespace sallyport::recipe {

using std::chrono::milliseconds;

inline constexpr std::size_t kMaxSteps = 200;  // steps and on_failure together
inline constexpr std::size_t kMaxNameLength = 63;
inline constexpr std::int64_t kMaxForeachConcurrency = 32;
inline constexpr std::int64_t kMaxRetries = 100;
inline constexpr std::int64_t kMaxConcurrency = 1'000;
inline constexpr std::size_t kMaxRelaysKey = 4'096;  // bytes of an expression that the relay evaluates
inline constexpr milliseconds kMinTimeout = std::chrono::seconds(1);
inline constexpr milliseconds kMaxTimeout = std::chrono::hours(24 * 30);
inline constexpr milliseconds kDefaultJobTimeout = std::chrono::hours(24);
inline constexpr milliseconds kDefaultStepTimeout = std::chrono::hours(1);
inline constexpr std::int64_t kMaxPriority = 9;
inline constexpr std::int64_t kDefaultPriority = 0;
inline constexpr std::int64_t kDefaultMaxItems = 1'000'000;

// ^[a-z][a-z0-9-]{0,62}$: recipes, steps, inputs, vars use it (underscore allowed besides in inputs, vars and step ids,
// which expressions name).
bool is_name(std::string_view text);
bool is_identifier(std::string_view text);

struct Trigger {
  std::string uses;                      // "file.watch@1"
  std::string connection;                // empty when it takes none
  Value with = Value(ValueMap{});        // as written; bind_arguments() gives it complete
  std::optional<expr::Template> dedupe;  // may use trigger, inputs, vars, recipe
  Mask mask;                             // of its data
  yaml::Position at;
};

enum class InputType { text, integer, number, boolean, list, map, any };
struct Input {
  InputType type = InputType::text;
  bool required = false;
  bool mask = false;
  std::optional<Value> fallback;  // `default`
  std::string description;
};

// Zero keeps nothing at all (`none`); absent leaves it to the organisation.
struct Retention {
  std::optional<milliseconds> payload;
  std::optional<milliseconds> logs;
  std::optional<milliseconds> archive;  // nothing: not archived
  yaml::Position payload_at;
  yaml::Position logs_at;
  yaml::Position archive_at;
};

enum class OnConflict { queue, skip };
struct Concurrency {
  std::int64_t limit = 1;
  std::optional<expr::Template> key;  // jobs with equal keys count together; may use trigger, inputs, vars, recipe
  std::optional<OnConflict> on_conflict;

  OnConflict conflict() const { return on_conflict.value_or(OnConflict::queue); }
};

enum class Backoff { fixed, exponential };
struct Retry {
  std::int64_t max = 0;  // attempts after the first
  std::optional<Backoff> backoff;
  std::optional<milliseconds> initial;
  std::optional<milliseconds> max_delay;
  std::vector<std::string> on;  // error classes; empty = connection, timeout, transaction

  // True when a step that failed with these classes, having run `attempts` times, runs again.
  bool applies(std::uint32_t attempts, const std::vector<std::string>& classes) const;
  // How long to wait before attempt number `attempts` + 1, without jitter: initial (1 s), doubled each time when
  // exponential (the default), at most max_delay (5 min, or `initial` when that is longer).
  milliseconds delay(std::uint32_t attempts) const;
};

enum class OnItemFailure { fail, go_on };
struct Foreach {
  Expression over;  // a list, a map (items {key, value}), or a rows handle (read lazily)
  std::int64_t concurrency = 1;
  std::optional<std::int64_t> max_items;
  OnItemFailure on_item_failure = OnItemFailure::fail;  // `continue`: the step succeeds and counts failed items

  std::int64_t item_limit() const { return max_items.value_or(kDefaultMaxItems); }
};

enum class StopStatus { succeeded, failed, cancelled };
struct Stop {  // ends the job here
  StopStatus status = StopStatus::succeeded;
  std::optional<expr::Template> message;
};

enum class OnFailure { fail, go_on };
enum class OnInDoubt { ask, retry, skip, stop };

// Either `uses` or `stop` is there.
struct Step {
  std::string id;
  std::string name;  // for people; may be empty
  std::string uses;  // "sql.query@1"; empty in a stop step
  std::string connection;
  std::optional<Expression> condition;  // `if`
  std::optional<Foreach> foreach;
  Argument with;
  Mask mask;  // its paths begin with `input` or `output`
  std::optional<Retry> retry;
  std::optional<milliseconds> timeout;  // of one attempt
  std::optional<OnFailure> on_failure;
  std::optional<OnInDoubt> on_in_doubt;
  std::optional<Stop> stop;
  yaml::Position at;

  milliseconds time_limit() const { return timeout.value_or(kDefaultStepTimeout); }
  OnFailure failure() const { return on_failure.value_or(OnFailure::fail); }
  OnInDoubt doubt() const { return on_in_doubt.value_or(OnInDoubt::ask); }
};

struct Recipe {
  std::string name;  // key `recipe`
  std::string description;
  std::string run_on;  // agent group
  Trigger trigger;
  std::map<std::string, Input, std::less<>> inputs;
  ValueMap vars;
  Retention retention;
  std::optional<Concurrency> concurrency;
  std::optional<milliseconds> timeout;   // of the whole job, queueing not counted
  std::optional<std::int64_t> priority;  // 0..9, higher first
  std::vector<Step> steps;
  std::vector<Step> on_failure;  // run when the job fails; `error` holds {step, class, message}

  milliseconds time_limit() const { return timeout.value_or(kDefaultJobTimeout); }
  // False (`payload: none`): what its jobs work with is on no disk.
  bool keeps_payload() const { return retention.payload != milliseconds(0); }
  std::int64_t rank() const { return priority.value_or(kDefaultPriority); }
  const Step* find_step(std::string_view id) const;  // in steps and on_failure
  // True when an expression may name what the items of this step with `foreach` gave.
  bool may_name_results(std::string_view id) const;
  bool may_name_output(std::string_view id) const;  // the same of what the step gave
};

// What is masked of the data that starts a job: by the trigger, and as `inputs` by their own declarations.
Mask trigger_mask(const Recipe& recipe);
// What is masked of a step's output; of the whole output of a `foreach`, whose `results` hold those of its items.
enum class OutputOf { run, loop };
Mask output_mask(const Step& step, OutputOf what);

// The same recipe: equal canonical forms.
bool operator==(const Recipe& a, const Recipe& b);

// Checks the inputs of a start (a map, or null for none) against the declaration and fills in defaults.
// Errc::invalid names the input: missing, unknown or of the wrong type.
Result<Value> bind_inputs(const Recipe& recipe, const Value& given);

}  // namespace sallyport::recipe
