#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"file"sv};
constexpr std::array kModes{"create"sv, "replace"sv};
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv, "not_found"sv,
                                 "permission"sv, "too_large"sv, "changed"sv, "format"sv};
constexpr std::array kListErrors{"connection"sv, "timeout"sv,    "policy"sv,    "invalid"sv,
                                 "not_found"sv,  "permission"sv, "too_large"sv, "changed"sv};
constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,    "policy"sv,     "invalid"sv,
                                  "not_found"sv,  "constraint"sv, "permission"sv, "too_large"sv,
                                  "changed"sv,    "disk_full"sv,  "in_doubt"sv};
constexpr std::array kContentOrSource{"content"sv, "source"sv};

constexpr Field kPath{.name = "path", .traits = Traits::required, .doc = "below the connection's root, with `/`"};
constexpr Field kRecursive{
    .name = "recursive", .types = Types::boolean, .doc = "look into directories below it too", .default_json = "false"};

constexpr std::array kReadFields{
    kPath,
    Field{.name = "text",
          .types = Types::boolean,
          .doc = "give the content as text too, in UTF-8; small files only (`recipes.md`, Sizes)",
          .default_json = "false"},
    Field{.name = "sha256",
          .types = Types::boolean,
          .doc = "compute `output.file.sha256`, which reads the whole file",
          .default_json = "false"}};
constexpr std::array kDeleteFields{kPath};
constexpr std::array kWriteFields{
    kPath,
    Field{.name = "content", .types = Types::text | Types::bytes, .doc = "the whole content; text is written as UTF-8"},
    Field{.name = "source", .types = Types::body, .doc = "a body whose bytes become the file"},
    Field{.name = "mode",
          .doc = "`create` fails when the file exists; `replace` puts the new file in its place at once",
          .default_json = "\"create\"",
          .choices = kModes}};
constexpr std::array kMoveFields{
    Field{.name = "from", .traits = Traits::required, .doc = "the file, below the connection's root"},
    Field{
        .name = "to", .traits = Traits::required, .doc = "its new path; a directory that exists keeps the file's name"},
    Field{.name = "overwrite",
          .types = Types::boolean,
          .doc = "replace a file that is there already",
          .default_json = "false"}};
constexpr std::array kListFields{
    kPath, Field{.name = "pattern", .traits = Traits::glob, .doc = "only names that match", .default_json = "\"*\""},
    kRecursive,
    Field{.name = "limit",
          .types = Types::integer,
          .doc = "at most so many files, the first by path; without it more than some 1,000 are an error (`too_large`)",
          .min = 1,
          .max = 1'000}};

constexpr std::array kFileOutput{OutputField{"file", Types::body, "the file; `path`, `name`, `size`, `mtime`"}};
constexpr std::array kReadOutput{kFileOutput[0], OutputField{"text", Types::text, "the content, when asked for"}};
constexpr std::array kMoveOutput{OutputField{"path", Types::text, "where the file is now"}};
constexpr std::array kListOutput{OutputField{"files", Types::list, "bodies, sorted by path"},
                                 OutputField{"count", Types::integer, "how many `files` holds"},
                                 OutputField{"more", Types::boolean, "whether `limit` kept others out"},
                                 OutputField{"skipped", Types::integer, "how many more have a name that is not UTF-8"}};
constexpr std::array kDeleteOutput{OutputField{"deleted", Types::boolean, "false when it was gone already"}};

constexpr std::array kActions{
    ActionInfo{.name = "file.read@1",
               .doc = "Gives a file as a body. Nothing is copied; reading it after it changed is an error.",
               .connections = kKinds,
               .fields = kReadFields,
               .output = kReadOutput,
               .effect = Effect::read,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "file.write@1",
               .doc = "Writes a file: complete or not at all.",
               .connections = kKinds,
               .fields = kWriteFields,
               .exactly_one = kContentOrSource,
               .output = kFileOutput,
               .effect = Effect::write,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "file.move@1",
               .doc = "Moves or renames a file. Run again after a crash, a file that has arrived already counts as "
                      "moved.",
               .connections = kKinds,
               .fields = kMoveFields,
               .output = kMoveOutput,
               .effect = Effect::write,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "file.list@1",
               .doc = "Lists the files of a directory.",
               .connections = kKinds,
               .fields = kListFields,
               .output = kListOutput,
               .effect = Effect::read,
               .repeat = Repeat::safe,
               .error_classes = kListErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "file.delete@1",
               .doc = "Deletes a file; one that is not there is no error.",
               .connections = kKinds,
               .fields = kDeleteFields,
               .output = kDeleteOutput,
               .effect = Effect::write,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
};

}  // namespace

std::span<const ActionInfo> file() { return kActions; }

}  // namespace sallyport::recipe::tables
