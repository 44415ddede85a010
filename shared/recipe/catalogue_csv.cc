#include "shared/recipe/catalogue_format_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr Field kDelimiter{.name = "delimiter", .doc = "one character between fields", .default_json = "\",\""};

constexpr std::array kCsvReadFields{
    kSource,
    kBatch,
    kDelimiter,
    Field{.name = "quote",
          .doc = "the character around fields that hold others; no character: none is special",
          .default_json = "\"\\\"\""},
    Field{.name = "comment", .doc = "a character: lines that begin with it are left out"},
    Field{.name = "skip",
          .types = Types::integer,
          .doc = "so many lines at the beginning are left out, before the header",
          .default_json = "0",
          .min = 0,
          .max = 1'000'000},
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
    kRows,
    Field{.name = "columns",
          .types = Types::list,
          .doc =
              "which columns, in this order; default: those of the rows in their order (`sql.query`, `csv.read`), of "
              "other rows those of the first, by the alphabet"},
    kDelimiter,
    Field{.name = "formula_guard",
          .types = Types::boolean,
          .doc = "put `'` before text that a spreadsheet would run as a formula (`recipes.md`, Formulas)",
          .default_json = "false"}};

constexpr std::array kActions{
    ActionInfo{.name = "csv.read@1",
               .doc = "Describes how to read a CSV body (RFC 4180) as rows. All values are text, or null.",
               .fields = kCsvReadFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
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
               .error_classes = kWriteErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> csv() { return kActions; }

}  // namespace sallyport::recipe::tables
