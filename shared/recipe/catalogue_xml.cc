#include "shared/recipe/catalogue_format_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kReadFields{
    kSource,
    Field{.name = "row",
          .traits = Traits::required,
          .doc = "which elements are rows: `/orders/order` from the root, `order` anywhere; a name stands for every "
                 "namespace, `{uri}order` for one"},
    Field{.name = "columns",
          .types = Types::map,
          .traits = Traits::required,
          .doc = "names of columns and where their values stand in the row: `id`, `customer/name`, `@no`, "
                 "`customer/@id`, `text()`"},
    kBatch};
constexpr std::array kWriteFields{
    kRows,
    Field{.name = "columns",
          .types = Types::list,
          .doc = "which columns, in this order; default: those of the rows, as `csv.write` has them"},
    Field{.name = "attributes", .types = Types::list, .doc = "columns that become attributes of the row"},
    Field{.name = "root", .doc = "name of the element around the rows", .default_json = "\"rows\""},
    Field{.name = "row", .doc = "name of the element that a row becomes", .default_json = "\"row\""}};

constexpr std::array kActions{
    ActionInfo{.name = "xml.read@1",
               .doc = "Describes how to read the repeated elements of an XML body as rows. Values are the text that "
                      "stands in an element directly, or null when it is not there. A document type declaration is "
                      "refused (`format`): there are no entities but the five of XML, and nothing is fetched.",
               .fields = kReadFields,
               .output = kRowsOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "xml.write@1",
               .doc = "Writes rows as XML in UTF-8 into the agent's spool, each column an element or an attribute of "
                      "its row; null is left out, bytes are base64. A name or a character that XML cannot hold is "
                      "refused (`invalid`).",
               .fields = kWriteFields,
               .output = kFileOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> xml() { return kActions; }

}  // namespace sallyport::recipe::tables
