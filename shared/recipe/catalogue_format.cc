#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kEncodings{"utf-8"sv, "iso-8859-1"sv, "windows-1252"sv};
constexpr std::array kEmpty{"text"sv, "null"sv};
// With those of the body that is read, a file of a connection perhaps.
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv, "not_found"sv,
                                 "permission"sv, "too_large"sv, "changed"sv, "format"sv};
constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv,   "not_found"sv,
                                  "permission"sv, "too_large"sv, "changed"sv, "disk_full"sv, "format"sv};
constexpr std::array kSourceOrText{"source"sv, "text"sv};
constexpr std::array kValueOrRows{"value"sv, "rows"sv};

constexpr Field kSource{.name = "source", .types = Types::body, .traits = Traits::required, .doc = "the body to read"};
constexpr Field kBatch{.name = "batch",
                       .types = Types::integer,
                       .doc = "rows in one item of `batches`, at most",
                       .default_json = "500",
                       .min = 1,
                       .max = 10'000};
constexpr Field kDelimiter{.name = "delimiter", .doc = "one character between fields", .default_json = "\",\""};

constexpr std::array kCsvReadFields{
    kSource,
    kBatch,
    kDelimiter,
    Field{.name = "header",
          .types = Types::boolean,
          .doc = "the first line holds the names of the columns",
          .default_json = "true"},
    Field{.name = "columns",
          .types = Types::list,
          .doc = "names of the columns: needed without a header; with one, the header must hold them"},
    Field{.name = "encoding", .doc = "of the body", .default_json = "\"utf-8\"", .choices = kEncodings},
    Field{.name = "empty",
          .doc = "what an empty field without quotes means: `text` (of no characters) or `null`",
          .default_json = "\"text\"",
          .choices = kEmpty}};
constexpr std::array kCsvWriteFields{
    Field{.name = "rows",
          .types = Types::rows | Types::list,
          .traits = Traits::required,
          .doc = "a row set, or a list of maps"},
    Field{.name = "columns",
          .types = Types::list,
          .doc =
              "which columns, in this order; default: those of the rows in their order (`sql.query`, `csv.read`), of "
              "other rows those of the first, by the alphabet"},
    kDelimiter,
    Field{.name = "formula_guard",
          .types = Types::boolean,
          .doc = "put `'` before text that a spreadsheet would run as a formula",
          .default_json = "false"}};
constexpr std::array kJsonParseFields{
    Field{.name = "source",
          .types = Types::body,
          .doc = "a body, at most 4 MiB; the value in it, at most 256 KiB (`recipes.md`, Sizes)"},
    Field{.name = "text", .types = Types::text, .doc = "JSON in a text"}};
constexpr std::array kJsonWriteFields{
    Field{.name = "value", .types = Types::any, .doc = "one value; becomes one JSON document"},
    Field{.name = "rows", .types = Types::rows | Types::list, .doc = "rows; one JSON object per line"}};
constexpr std::array kJsonLinesFields{kSource, kBatch};

constexpr std::array kRowsOutput{
    OutputField{"rows", Types::rows, "every row, as a map by column; `foreach` over it takes one row at a time"},
    OutputField{
        "batches", Types::rows,
        "the same; `foreach` over it takes a list of rows at a time: `batch` of them, fewer when they are over 1 MiB"},
    OutputField{"columns", Types::list, "names of the columns"}};
constexpr std::array kFileOutput{OutputField{"file", Types::body, "what was written, in the agent's spool"},
                                 OutputField{"count", Types::integer, "how many rows were written"}};
constexpr std::array kValueOutput{OutputField{"value", Types::any, "what the JSON says"}};

constexpr std::array kActions{
    ActionInfo{.name = "csv.read@1",
               .doc = "Describes how to read a CSV body (RFC 4180) as rows. All values are text, or null.",
               .fields = kCsvReadFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors},
    ActionInfo{.name = "csv.write@1",
               .doc =
                   "Writes rows as CSV into the agent's spool: a header, also when there are no rows but known "
                   "columns; null as "
                   "nothing, a text of no characters as `\"\"` (a single column has `\"\"` for both); bytes in base64 "
                   "(`recipes.md`, Values of databases).",
               .fields = kCsvWriteFields,
               .output = kFileOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors},
    ActionInfo{.name = "json.parse@1",
               .doc = "Reads one JSON document into a value.",
               .fields = kJsonParseFields,
               .exactly_one = kSourceOrText,
               .output = kValueOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors},
    ActionInfo{
        .name = "json.write@1",
        .doc = "Writes a value, or rows line by line, as JSON into the agent's spool; bytes in base64 (`recipes.md`, "
               "Values of databases).",
        .fields = kJsonWriteFields,
        .exactly_one = kValueOrRows,
        .output = kFileOutput,
        .effect = Effect::none,
        .repeat = Repeat::safe,
        .error_classes = kWriteErrors},
    ActionInfo{.name = "json.read_lines@1",
               .doc = "Describes how to read a body with one JSON object per line as rows.",
               .fields = kJsonLinesFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors},
};

}  // namespace

std::span<const ActionInfo> format() { return kActions; }

}  // namespace sallyport::recipe::tables
