#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"ssh"sv};
constexpr std::array kIfExists{"fail"sv, "replace"sv};
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv, "not_found"sv,
                                 "permission"sv, "too_large"sv, "changed"sv, "format"sv,  "disk_full"sv};
constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,    "policy"sv,     "invalid"sv,
                                  "not_found"sv,  "permission"sv, "too_large"sv,  "changed"sv,
                                  "format"sv,     "disk_full"sv,  "constraint"sv, "in_doubt"sv};
constexpr std::array kContentOrSource{"content"sv, "source"sv};

constexpr Field kPath{.name = "path", .traits = Traits::required, .doc = "below the connection's root, with `/`"};

constexpr std::array kGetFields{
    kPath, Field{.name = "sha256", .types = Types::boolean, .doc = "compute `output.sha256`", .default_json = "false"}};
constexpr std::array kPutFields{
    kPath,
    Field{.name = "content", .types = Types::text | Types::bytes, .doc = "the whole content; text is written as UTF-8"},
    Field{.name = "source", .types = Types::body, .doc = "a body whose bytes become the file"},
    Field{.name = "if_exists",
          .doc =
              "`fail`, or `replace` the file that is there: at once where the server has OpenSSH's posix-rename, else "
              "with a moment in which there is none",
          .default_json = "\"fail\"",
          .choices = kIfExists}};
constexpr std::array kListFields{
    kPath, Field{.name = "pattern", .traits = Traits::glob, .doc = "only names that match", .default_json = "\"*\""},
    Field{.name = "limit",
          .types = Types::integer,
          .doc = "at most so many files, the first by path; without it more than 1,000 are an error (`too_large`)",
          .min = 1,
          .max = 1'000}};
constexpr std::array kMoveFields{
    Field{.name = "from", .traits = Traits::required, .doc = "the file, below the connection's root"},
    Field{
        .name = "to", .traits = Traits::required, .doc = "its new path; a directory that exists keeps the file's name"},
    Field{.name = "overwrite",
          .types = Types::boolean,
          .doc = "replace a file that is there already",
          .default_json = "false"}};
constexpr std::array kDeleteFields{kPath};

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

constexpr std::array kGetOutput{OutputField{"body", Types::body, "the file's bytes"},
                                OutputField{"size", Types::integer, "how many"},
                                OutputField{"mtime", Types::text, "when it was changed, RFC 3339"},
                                OutputField{"sha256", Types::text, "of the bytes, when asked for"}};
constexpr std::array kPutOutput{OutputField{"path", Types::text, "where the file is"},
                                OutputField{"size", Types::integer, "bytes that were written"}};
constexpr std::array kListOutput{
    OutputField{"files", Types::list, "mappings with `path`, `name`, `size`, `mtime`, sorted by path"},
    OutputField{"count", Types::integer, "how many `files` holds"},
    OutputField{"more", Types::boolean, "whether `limit` kept others out"},
    OutputField{"skipped", Types::integer, "how many more have a name that no recipe can write down"}};
constexpr std::array kMoveOutput{OutputField{"path", Types::text, "where the file is now"}};
constexpr std::array kDeleteOutput{OutputField{"deleted", Types::boolean, "false when it was gone already"}};

constexpr std::array kActions{
    ActionInfo{
        .name = "sftp.get@1",
        .doc = "Fetches a file. Where the connection breaks it goes on with another one, as long as the file's size "
               "and time stay what they were.",
        .connections = kKinds,
        .fields = kGetFields,
        .output = kGetOutput,
        .effect = Effect::read,
        .repeat = Repeat::safe,
        .error_classes = kReadErrors},
    ActionInfo{
        .name = "sftp.put@1",
        .doc = "Writes a file: under a hidden name first, then renamed, so that it is there whole or not at all. Run "
               "again after a crash, a file with the same content counts as written.",
        .connections = kKinds,
        .fields = kPutFields,
        .exactly_one = kContentOrSource,
        .output = kPutOutput,
        .effect = Effect::write,
        .repeat = Repeat::safe,
        .error_classes = kWriteErrors},
    ActionInfo{.name = "sftp.list@1",
               .doc = "Lists the files of a directory.",
               .connections = kKinds,
               .fields = kListFields,
               .output = kListOutput,
               .effect = Effect::read,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors},
    ActionInfo{
        .name = "sftp.move@1",
        .doc = "Moves or renames a file. Run again after a crash, a file that has arrived already counts as moved.",
        .connections = kKinds,
        .fields = kMoveFields,
        .output = kMoveOutput,
        .effect = Effect::write,
        .repeat = Repeat::safe,
        .error_classes = kWriteErrors},
    ActionInfo{.name = "sftp.delete@1",
               .doc = "Deletes a file; one that is not there is no error.",
               .connections = kKinds,
               .fields = kDeleteFields,
               .output = kDeleteOutput,
               .effect = Effect::write,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors},
    ActionInfo{.name = "ssh.run@1",
               .doc = "Runs a program on the server by an argv template of the local policy.",
               .connections = kKinds,
               .fields = kRunFields,
               .output = kRunOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kRunErrors},
};

}  // namespace

std::span<const ActionInfo> ssh() { return kActions; }

}  // namespace sallyport::recipe::tables
