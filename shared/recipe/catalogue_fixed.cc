#include "shared/recipe/catalogue_format_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kAligns{"left"sv, "right"sv};
constexpr std::array kRecords{"lines"sv, "none"sv};
constexpr std::array kSeparators{"lf"sv, "crlf"sv, "none"sv};

constexpr Field kName{.name = "name", .traits = Traits::required, .doc = "of the column"};
constexpr Field kWidth{.name = "width",
                       .types = Types::integer,
                       .traits = Traits::required,
                       .doc = "in characters",
                       .min = 1,
                       .max = 1'048'576};
constexpr Field kStart{.name = "start",
                       .types = Types::integer,
                       .doc = "place of its first character, from 1; default: right after the column before it",
                       .min = 1,
                       .max = 1'048'576};
constexpr Field kAlign{
    .name = "align", .doc = "where the text stands in the column", .default_json = "\"left\"", .choices = kAligns};
constexpr Field kPad{.name = "pad", .doc = "the character that fills the column", .default_json = "\" \""};
constexpr std::array kReadColumn{
    kName,
    kWidth,
    kStart,
    kAlign,
    kPad,
    Field{.name = "trim",
          .types = Types::boolean,
          .doc = "take the padding away: after the text, or before it when it stands at the right; of zeros one stays",
          .default_json = "true"}};
constexpr std::array kWriteColumn{kName, kWidth, kStart, kAlign, kPad};

constexpr Field kEncoding{.name = "encoding", .doc = "of the body", .default_json = "\"utf-8\"", .choices = kEncodings};
constexpr std::array kReadFields{
    kSource,
    Field{.name = "columns",
          .types = Types::list,
          .traits = Traits::required,
          .doc = "the columns of a record; what is in none is left out",
          .inside = kReadColumn},
    Field{.name = "records",
          .doc = "`lines`, each a record (empty ones are left out), or `none`: no separator, each has `length` "
                 "characters",
          .default_json = "\"lines\"",
          .choices = kRecords},
    Field{.name = "length",
          .types = Types::integer,
          .doc = "of a record without separator, in characters; default: to the end of the last column",
          .min = 1,
          .max = 1'048'576},
    Field{.name = "skip",
          .types = Types::integer,
          .doc = "so many records at the beginning are left out",
          .default_json = "0",
          .min = 0,
          .max = 1'000'000},
    kEncoding,
    Field{.name = "empty",
          .doc = "what a column of nothing but padding means: `text` (of no characters) or `null`",
          .default_json = "\"text\"",
          .choices = kEmpty},
    kBatch};
constexpr std::array kWriteFields{
    kRows,
    Field{.name = "columns",
          .types = Types::list,
          .traits = Traits::required,
          .doc = "the columns of a record, in the order of their places; blanks are between them",
          .inside = kWriteColumn},
    Field{.name = "separator", .doc = "after each record", .default_json = "\"lf\"", .choices = kSeparators},
    kEncoding};

constexpr std::array kActions{
    ActionInfo{.name = "fixed.read@1",
               .doc = "Describes how to read records of fixed width as rows. Places and widths count characters, "
                      "whatever the encoding. A record that is too short is an error (`format`). All values are text, "
                      "or null.",
               .fields = kReadFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "fixed.write@1",
               .doc = "Writes rows as records of fixed width into the agent's spool; null as padding. A value that is "
                      "too long for its column, or that the encoding lacks, is an error (`invalid`) and never cut.",
               .fields = kWriteFields,
               .output = kFileOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> fixed() { return kActions; }

}  // namespace sallyport::recipe::tables
