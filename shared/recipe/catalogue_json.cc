#include "shared/recipe/catalogue_format_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kSourceOrText{"source"sv, "text"sv};
constexpr std::array kValueOrRows{"value"sv, "rows"sv};

constexpr std::array kJsonParseFields{
    Field{.name = "source",
          .types = Types::body,
          .doc = "a body, at most 4 MiB; the value in it, at most 256 KiB (`recipes.md`, Sizes)"},
    Field{.name = "text", .types = Types::text, .doc = "JSON in a text"}};
constexpr std::array kJsonWriteFields{
    Field{.name = "value", .types = Types::any, .doc = "one value; becomes one JSON document"},
    Field{.name = "rows", .types = Types::rows | Types::list, .doc = "rows; one JSON object per line"}};
constexpr std::array kJsonLinesFields{kSource, kBatch};
constexpr std::array kJsonRowsFields{
    kSource,
    Field{
        .name = "pointer",
        .doc = "where the array stands (RFC 6901), through objects: `/data/items`; default: the document is the array",
        .default_json = "\"\""},
    kBatch};

constexpr std::array kValueOutput{OutputField{"value", Types::any, "what the JSON says"}};

constexpr std::array kActions{
    ActionInfo{.name = "json.parse@1",
               .doc = "Reads one JSON document into a value.",
               .fields = kJsonParseFields,
               .exactly_one = kSourceOrText,
               .output = kValueOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{
        .name = "json.write@1",
        .doc = "Writes a value, or rows line by line, as JSON into the agent's spool; bytes in base64 (`recipes.md`, "
               "Values of databases).",
        .fields = kJsonWriteFields,
        .exactly_one = kValueOrRows,
        .output = kFileOutput,
        .effect = Effect::none,
        .repeat = Repeat::safe,
        .error_classes = kWriteErrors,
        .dry_run = DryRun::runs},
    ActionInfo{.name = "json.read_lines@1",
               .doc = "Describes how to read a body with one JSON object per line as rows.",
               .fields = kJsonLinesFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "json.read_rows@1",
               .doc = "Describes how to read the objects of one array in a JSON document of any size as rows.",
               .fields = kJsonRowsFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> json() { return kActions; }

}  // namespace sallyport::recipe::tables
