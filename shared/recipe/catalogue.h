#pragma once

#include "shared/base/value.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What triggers and actions exist and what they take, as data. This one table validates recipes on relay, CLI and
// agent, checks arguments before a step runs, and is what the JSON Schema and the reference in docs/ are made from.
namespace sallyport::recipe {

class Argument;

// What a field takes; several may be joined with `|`.
enum class Types : std::uint16_t {
  none = 0,
  text = 1,
  integer = 2,
  number = 4,  // integer or double
  boolean = 8,
  duration = 16,  // "5s" in a recipe; a duration value after bind_arguments()
  list = 32,
  map = 64,
  body = 128,    // a handle that opens as bytes: kinds "file" and "spool"
  rows = 256,    // a handle that opens as rows: kind "rows"
  any = 512,     // everything, null included
  bytes = 1024,  // only an expression can give them
};
constexpr Types operator|(Types a, Types b) { return static_cast<Types>(static_cast<int>(a) | static_cast<int>(b)); }
constexpr bool has(Types types, Types one) { return (static_cast<int>(types) & static_cast<int>(one)) != 0; }
std::string to_string(Types types);  // "text or body", for messages and documents

enum class Traits : std::uint8_t {
  none = 0,
  required = 1,
  literal_only = 2,    // no `${{ }}` inside: SQL text, names of command templates, everything of a trigger
  accepts_secret = 4,  // may take values derived from a secret
  glob = 8,            // a pattern of file names: `*`, `?`, `[a-z]`
  cron = 16,           // a schedule, see cron.h
  time_zone = 32,      // an IANA name
};
constexpr Traits operator|(Traits a, Traits b) {
  return static_cast<Traits>(static_cast<int>(a) | static_cast<int>(b));
}
constexpr bool has(Traits traits, Traits one) { return (static_cast<int>(traits) & static_cast<int>(one)) != 0; }

struct Field {
  std::string_view name;
  Types types = Types::text;
  Traits traits = Traits::none;
  std::string_view doc;
  std::string_view default_json = {};                           // JSON text; empty = no default
  std::span<const std::string_view> choices = {};               // texts
  std::int64_t min = std::numeric_limits<std::int64_t>::min();  // integers; milliseconds of durations
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::span<const Field> inside = {};  // lists: every element is a mapping with these fields

  bool required() const { return has(traits, Traits::required); }
};

struct OutputField {
  std::string_view name;  // steps.<id>.output.<name>
  Types types;
  std::string_view doc;
};

struct TriggerInfo {
  std::string_view name;  // "file.watch@1"
  std::string_view doc;
  std::span<const std::string_view> connections;  // kinds it needs one of; empty = takes no connection
  std::span<const Field> fields;
  std::span<const OutputField> data;  // what `trigger` holds in expressions
};

enum class Effect { none, read, write };

// What may be done when it is not known whether a step ran to its end (a crash between effect and journal).
enum class Repeat {
  safe,     // running it again has no further effect
  ledger,   // the connector knows from the marker it wrote with the effect
  unknown,  // nobody can know: in doubt, `on_in_doubt` decides
};

// What a dry run does with a step (docs/dry-run.md).
enum class DryRun {
  refused,     // nobody has said: it is not run
  runs,        // as ever: it reads, or works on what the job has
  reads_only,  // runs when the connector sees that it only reads; else it is planned
  rolls_back,  // in a transaction that is always rolled back; planned where that cannot be done for certain
  planned,     // is not done: the job says with which arguments it would be
};
std::string_view to_string(DryRun dry_run);  // for documents

struct ActionInfo {
  std::string_view name;  // "sql.query@1"
  std::string_view doc;
  std::span<const std::string_view> connections;
  std::span<const Field> fields;
  std::span<const std::string_view> exactly_one;  // names of fields of which exactly one must be given; may be empty
  std::span<const OutputField> output;
  Effect effect = Effect::none;
  Repeat repeat = Repeat::safe;
  std::span<const std::string_view> error_classes;
  DryRun dry_run = DryRun::refused;
};

std::span<const TriggerInfo> triggers();
std::span<const ActionInfo> actions();
// The trigger whose jobs the relay starts when a sender calls it: no agent watches it.
inline constexpr std::string_view kWebhookTrigger = "webhook@1";
const TriggerInfo* find_trigger(std::string_view name);  // nullptr when unknown
const ActionInfo* find_action(std::string_view name);
bool needs_no_worker(std::string_view action);  // the runner does it itself: it takes no `timeout`
bool takes_secrets(const ActionInfo& action);   // some field of it does
// Every general error class (step_error.h); `retry.on` takes these, "sqlstate:XXXXX", "status:NNN", "ldap:N", "smtp:N",
// "exit:N", "signal:N" and "any".
std::span<const std::string_view> error_classes();  // without "in_doubt": only `on_in_doubt` settles that

struct ArgumentFault {
  std::string path;     // "params", "statements[2].params"; empty for the whole
  std::string rule;     // the same ids as the loader's: missing-field, unknown-field, wrong-type, secret-sink ...
  std::string message;  // never a value
};

// Checks evaluated arguments against the table and gives them back complete: defaults filled in, durations as
// Value::Kind::duration. The agent calls it before an action runs, because what an expression gave is known only then.
// `written` is what `arguments` were evaluated from: the loader has refused expressions where only literals may stand,
// and this refuses them again, so that no other way into the agent lets data become SQL text.
std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const ActionInfo& action, const Argument& written,
                                                                const Value& arguments);
std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const ActionInfo& action, const Value& arguments);
std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const TriggerInfo& trigger, const Value& arguments);

}  // namespace sallyport::recipe
