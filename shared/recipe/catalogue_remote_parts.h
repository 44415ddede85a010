#pragma once

#include "shared/recipe/catalogue_tables.h"

// What the actions on files of servers have in common; private to this folder.
namespace sallyport::recipe::tables {

inline constexpr std::array kIfRemoteExists{"fail"sv, "replace"sv};
inline constexpr std::array kRemoteReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv, "not_found"sv,
                                              "permission"sv, "too_large"sv, "changed"sv, "format"sv,  "disk_full"sv};
inline constexpr std::array kRemoteWriteErrors{"connection"sv, "timeout"sv,    "policy"sv,     "invalid"sv,
                                               "not_found"sv,  "permission"sv, "too_large"sv,  "changed"sv,
                                               "format"sv,     "disk_full"sv,  "constraint"sv, "in_doubt"sv};
inline constexpr std::array kRemoteContentOrSource{"content"sv, "source"sv};

inline constexpr Field kRemotePath{
    .name = "path", .traits = Traits::required, .doc = "below the connection's root, with `/`"};

inline constexpr std::array kGetRemoteFields{
    kRemotePath,
    Field{.name = "sha256", .types = Types::boolean, .doc = "compute `output.sha256`", .default_json = "false"}};
inline constexpr std::array kListRemoteFields{
    kRemotePath,
    Field{.name = "pattern", .traits = Traits::glob, .doc = "only names that match", .default_json = "\"*\""},
    Field{.name = "limit",
          .types = Types::integer,
          .doc = "at most so many files, the first by path; without it more than 1,000 are an error (`too_large`)",
          .min = 1,
          .max = 1'000}};
inline constexpr std::array kMoveRemoteFields{
    Field{.name = "from", .traits = Traits::required, .doc = "the file, below the connection's root"},
    Field{
        .name = "to", .traits = Traits::required, .doc = "its new path; a directory that exists keeps the file's name"},
    Field{.name = "overwrite",
          .types = Types::boolean,
          .doc = "replace a file that is there already",
          .default_json = "false"}};
inline constexpr std::array kDeleteRemoteFields{kRemotePath};

inline constexpr std::array kGetRemoteOutput{OutputField{"body", Types::body, "the file's bytes"},
                                             OutputField{"size", Types::integer, "how many"},
                                             OutputField{"mtime", Types::text, "when it was changed, RFC 3339"},
                                             OutputField{"sha256", Types::text, "of the bytes, when asked for"}};
inline constexpr std::array kPutRemoteOutput{OutputField{"path", Types::text, "where the file is"},
                                             OutputField{"size", Types::integer, "bytes that were written"}};
inline constexpr std::array kListRemoteOutput{
    OutputField{"files", Types::list, "mappings with `path`, `name`, `size`, `mtime`, sorted by path"},
    OutputField{"count", Types::integer, "how many `files` holds"},
    OutputField{"more", Types::boolean, "whether `limit` kept others out"},
    OutputField{"skipped", Types::integer, "how many more have a name that no recipe can write down"}};
inline constexpr std::array kMoveRemoteOutput{OutputField{"path", Types::text, "where the file is now"}};
inline constexpr std::array kDeleteRemoteOutput{
    OutputField{"deleted", Types::boolean, "false when it was gone already"}};

inline constexpr std::int64_t kRemoteSecond = 1'000;
inline constexpr std::int64_t kRemoteDay = 86'400 * kRemoteSecond;
inline constexpr std::array kWatchRemoteFields{
    Field{.name = "path",
          .traits = Traits::required | Traits::literal_only,
          .doc = "directory below the connection's root"},
    Field{.name = "pattern",
          .traits = Traits::literal_only | Traits::glob,
          .doc = "only names that match",
          .default_json = "\"*\""},
    Field{.name = "settle",
          .types = Types::duration,
          .traits = Traits::literal_only,
          .doc = "how long size and time of a file must stay what they are before it counts as complete",
          .default_json = "\"30s\"",
          .min = 0,
          .max = kRemoteDay},
    Field{.name = "every",
          .types = Types::duration,
          .traits = Traits::literal_only,
          .doc = "from one look at the directory to the next; sooner while files settle",
          .default_json = "\"1m\"",
          .min = kRemoteSecond,
          .max = kRemoteDay}};
inline constexpr std::array kWatchRemoteData{
    OutputField{"file", Types::map, "the file's `path`, `name`, `size` and `mtime`"}};

constexpr Field if_remote_exists(std::string_view doc) {
  return {.name = "if_exists", .doc = doc, .default_json = "\"fail\"", .choices = kIfRemoteExists};
}
inline constexpr Field kRemoteContent{
    .name = "content", .types = Types::text | Types::bytes, .doc = "the whole content; text is written as UTF-8"};
inline constexpr Field kRemoteSource{
    .name = "source", .types = Types::body, .doc = "a body whose bytes become the file"};

struct RemoteFileNames {
  std::string_view get, put, list, move, remove;
};
// Get, put, list, move and delete of one protocol.
constexpr std::array<ActionInfo, 5> remote_file_actions(const RemoteFileNames& names,
                                                        std::span<const std::string_view> kinds,
                                                        std::span<const Field> put_fields) {
  return {ActionInfo{.name = names.get,
                     .doc = "Fetches a file. Where the connection breaks it goes on with another one, as long as the "
                            "file's size and time stay what they were.",
                     .connections = kinds,
                     .fields = kGetRemoteFields,
                     .output = kGetRemoteOutput,
                     .effect = Effect::read,
                     .repeat = Repeat::safe,
                     .error_classes = kRemoteReadErrors,
                     .dry_run = DryRun::runs},
          ActionInfo{.name = names.put,
                     .doc = "Writes a file: under a hidden name first, then renamed, so that it is there whole or not "
                            "at all. Run again after a crash, a file with the same content counts as written.",
                     .connections = kinds,
                     .fields = put_fields,
                     .exactly_one = kRemoteContentOrSource,
                     .output = kPutRemoteOutput,
                     .effect = Effect::write,
                     .repeat = Repeat::safe,
                     .error_classes = kRemoteWriteErrors,
                     .dry_run = DryRun::planned},
          ActionInfo{.name = names.list,
                     .doc = "Lists the files of a directory.",
                     .connections = kinds,
                     .fields = kListRemoteFields,
                     .output = kListRemoteOutput,
                     .effect = Effect::read,
                     .repeat = Repeat::safe,
                     .error_classes = kRemoteReadErrors,
                     .dry_run = DryRun::runs},
          ActionInfo{.name = names.move,
                     .doc = "Moves or renames a file. Run again after a crash, a file that has arrived already counts "
                            "as moved.",
                     .connections = kinds,
                     .fields = kMoveRemoteFields,
                     .output = kMoveRemoteOutput,
                     .effect = Effect::write,
                     .repeat = Repeat::safe,
                     .error_classes = kRemoteWriteErrors,
                     .dry_run = DryRun::planned},
          ActionInfo{.name = names.remove,
                     .doc = "Deletes a file; one that is not there is no error.",
                     .connections = kinds,
                     .fields = kDeleteRemoteFields,
                     .output = kDeleteRemoteOutput,
                     .effect = Effect::write,
                     .repeat = Repeat::safe,
                     .error_classes = kRemoteWriteErrors,
                     .dry_run = DryRun::planned}};
}

}  // namespace sallyport::recipe::tables
