#include "shared/recipe/catalogue_remote_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"ssh"sv};
constexpr std::array kPutFields{
    kRemotePath, kRemoteContent, kRemoteSource,
    if_remote_exists("`fail`, or `replace` the file that is there: at once where the server has OpenSSH's "
                     "posix-rename, else with a moment in which there is none")};

constexpr std::array kRunErrors{"command"sv,    "connection"sv, "timeout"sv, "policy"sv,    "invalid"sv, "not_found"sv,
                                "permission"sv, "too_large"sv,  "changed"sv, "disk_full"sv, "in_doubt"sv};
constexpr std::array kRunFields{
    Field{.name = "template",
          .traits = Traits::required | Traits::literal_only,
          .doc = "name of a command that the agent's local policy has for this connection"},
    Field{.name = "params", .types = Types::map, .doc = "values for the template's placeholders"},
    Field{.name = "stdin",
          .types = Types::text | Types::bytes | Types::body,
          .doc = "what the program reads from standard input"}};
constexpr std::array kRunOutput{
    OutputField{"exit_code", Types::integer,
                "0: any other fails the step with `exit:N`, a signal with `signal:N`; `exit_code`, `text` and "
                "`stderr` are told then, too"},
    OutputField{"stdout", Types::body, "what the program wrote"},
    OutputField{"text", Types::text, "the same when it is UTF-8 of at most 64 KiB (as JSON 128 KiB), else null"},
    OutputField{"stderr", Types::text, "the end of what it wrote to standard error"}};

constexpr auto kFileActions = remote_file_actions(
    {.get = "sftp.get@1", .put = "sftp.put@1", .list = "sftp.list@1", .move = "sftp.move@1", .remove = "sftp.delete@1"},
    kKinds, kPutFields);
constexpr ActionInfo kRun{.name = "ssh.run@1",
                          .doc = "Runs a program on the server by an argv template of the local policy.",
                          .connections = kKinds,
                          .fields = kRunFields,
                          .output = kRunOutput,
                          .effect = Effect::write,
                          .repeat = Repeat::unknown,
                          .error_classes = kRunErrors,
                          .dry_run = DryRun::planned};
constexpr std::array kActions{kFileActions[0], kFileActions[1], kFileActions[2],
                              kFileActions[3], kFileActions[4], kRun};

constexpr std::array kTriggers{TriggerInfo{
    .name = "sftp.watch@1",
    .doc = "Starts for each file that appears in a directory of the server and has settled, once for each state of it, "
           "also while the link is down; `sftp.get` fetches it. Of more than 10,000 files that match only the first "
           "by path are watched, and that is told.",
    .connections = kKinds,
    .fields = kWatchRemoteFields,
    .data = kWatchRemoteData}};

}  // namespace

std::span<const TriggerInfo> ssh_triggers() { return kTriggers; }
std::span<const ActionInfo> ssh() { return kActions; }

}  // namespace sallyport::recipe::tables
