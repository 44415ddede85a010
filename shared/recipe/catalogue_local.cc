#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kFileKinds{"file"sv};
constexpr std::array kLevels{"debug"sv, "info"sv, "warn"sv, "error"sv};
constexpr std::array kCatchUp{"skip"sv, "once"sv};
constexpr std::array kCommandErrors{"command"sv, "connection"sv, "timeout"sv,    "policy"sv,
                                    "invalid"sv, "not_found"sv,  "permission"sv, "too_large"sv,
                                    "changed"sv, "disk_full"sv,  "in_doubt"sv};
constexpr std::array kNoErrors{"invalid"sv};

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

constexpr std::array kCommandFields{
    Field{.name = "template",
          .traits = Traits::required | Traits::literal_only,
          .doc = "name of a command in the agent's local policy"},
    Field{.name = "params", .types = Types::map, .doc = "values for the template's placeholders"},
    Field{.name = "environment",
          .types = Types::map,
          .traits = Traits::accepts_secret,
          .doc = "variables for the program by name; the template in the local policy lists which it takes"},
    Field{.name = "stdin",
          .types = Types::text | Types::bytes | Types::body,
          .traits = Traits::accepts_secret,
          .doc = "what the program reads from standard input"}};
constexpr std::array kCommandOutput{
    OutputField{"exit_code", Types::integer,
                "0: any other fails the step with `exit:N`, a signal with `signal:N`; `exit_code`, `text` and `stderr` "
                "are told then, too"},
    OutputField{"stdout", Types::body, "what the program wrote"},
    OutputField{"text", Types::text, "the same when it is UTF-8 of at most 64 KiB (as JSON 128 KiB), else null"},
    OutputField{"stderr", Types::text, "the end of what it wrote to standard error"}};

constexpr std::array kWaitFields{Field{.name = "duration",
                                       .types = Types::duration,
                                       .traits = Traits::required,
                                       .doc = "how long; survives restarts of agent and relay",
                                       .min = 0,
                                       .max = 30 * kDay}};
constexpr std::array kLogFields{
    Field{.name = "text", .traits = Traits::required, .doc = "what the job's log shows; at most 64 KiB"},
    Field{.name = "level", .doc = "how important it is", .default_json = "\"info\"", .choices = kLevels}};

constexpr std::array kActions{
    ActionInfo{.name = "command.run@1",
               .doc = "Runs a program by an argv template of the local policy: no shell, own limits.",
               .fields = kCommandFields,
               .output = kCommandOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kCommandErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "wait.for@1",
               .doc = "Waits, without holding a worker. Takes no `timeout`.",
               .fields = kWaitFields,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kNoErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "log.write@1",
               .doc = "Writes a line into the job's log. Takes no `timeout`.",
               .fields = kLogFields,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kNoErrors,
               .dry_run = DryRun::runs},
};

constexpr std::array kScheduleFields{
    Field{.name = "cron",
          .traits = Traits::required | Traits::literal_only | Traits::cron,
          .doc = "minute, hour, day of month, month, weekday; or @hourly, @daily, @weekly, @monthly, @yearly"},
    Field{.name = "timezone",
          .traits = Traits::literal_only | Traits::time_zone,
          .doc = "name of the IANA data base",
          .default_json = "\"UTC\""},
    Field{.name = "catch_up",
          .traits = Traits::literal_only,
          .doc = "times that passed while the agent was down: `skip` them, or run `once` for all of them",
          .default_json = "\"skip\"",
          .choices = kCatchUp}};
constexpr std::array kWatchFields{Field{.name = "path",
                                        .traits = Traits::required | Traits::literal_only,
                                        .doc = "directory below the connection's root"},
                                  Field{.name = "pattern",
                                        .traits = Traits::literal_only | Traits::glob,
                                        .doc = "only names that match",
                                        .default_json = "\"*\""},
                                  Field{.name = "settle",
                                        .types = Types::duration,
                                        .traits = Traits::literal_only,
                                        .doc = "how long a file must stay unchanged before it counts as complete",
                                        .default_json = "\"5s\"",
                                        .min = 0,
                                        .max = kDay},
                                  Field{.name = "recursive",
                                        .types = Types::boolean,
                                        .traits = Traits::literal_only,
                                        .doc = "watch directories below it too",
                                        .default_json = "false"}};

constexpr std::array kScheduleData{OutputField{"scheduled_at", Types::text, "the time it was due, RFC 3339"}};
constexpr std::array kWatchData{OutputField{
    "file", Types::body, "the file; `path`, `name`, `size`, `mtime` and `sha256` can be used in expressions"}};

constexpr std::array kTriggers{
    TriggerInfo{.name = "manual@1", .doc = "Started by a person or a program through the API; data comes in `inputs`."},
    TriggerInfo{.name = "schedule@1",
                .doc = "Starts at the times of a cron expression, on the agent, also while the link is down.",
                .fields = kScheduleFields,
                .data = kScheduleData},
    TriggerInfo{
        .name = "file.watch@1",
        .doc = "Starts for each file that appears and has settled, also while the link is down. A file that cannot "
               "be read is told (`trigger.failed`), passed over and tried again; of more than 50,000 files that "
               "match only the newest are watched, and that is told.",
        .connections = kFileKinds,
        .fields = kWatchFields,
        .data = kWatchData},
};

}  // namespace

std::span<const ActionInfo> local() { return kActions; }
std::span<const TriggerInfo> local_triggers() { return kTriggers; }

}  // namespace sallyport::recipe::tables
