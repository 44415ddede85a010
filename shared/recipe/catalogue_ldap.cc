#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"ldap"sv};
constexpr std::array kScopes{"base"sv, "one"sv, "subtree"sv};
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,    "policy"sv,    "invalid"sv,   "not_found"sv,
                                 "constraint"sv, "permission"sv, "too_large"sv, "disk_full"sv, "format"sv};

constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,    "policy"sv,    "invalid"sv, "not_found"sv,
                                  "constraint"sv, "permission"sv, "too_large"sv, "in_doubt"sv};

constexpr std::array kSearchFields{
    Field{.name = "base",
          .doc = "the entry to search from, as a distinguished name at or below the connection's base; without it that "
                 "base"},
    Field{.name = "scope",
          .doc = "`base` is that entry alone, `one` what is directly below it, `subtree` both and all below",
          .default_json = "\"subtree\"",
          .choices = kScopes},
    Field{.name = "filter",
          .traits = Traits::literal_only,
          .doc = "which entries (RFC 4515); data goes in as parameters `:name` where values stand: `(uid=:uid)`, "
                 "`(cn=:start*)`; a literal colon before a letter is written `\\3a`",
          .default_json = "\"(objectClass=*)\""},
    Field{.name = "params", .types = Types::map, .doc = "values of the filter's parameters by name, escaped"},
    Field{.name = "attributes",
          .types = Types::list,
          .traits = Traits::required,
          .doc = "which attributes, each by its name: a column with a list of values"},
    Field{.name = "single",
          .types = Types::list,
          .doc = "those of them that have one value at most: the column is that value or null; more are an error "
                 "(`format`)"},
    Field{.name = "binary",
          .types = Types::list,
          .doc = "those of them whose values are bytes, also when they could be read as text; photos, certificates and "
                 "`objectGUID` always are"},
    Field{.name = "page_size",
          .types = Types::integer,
          .doc = "how many entries the server gives at a time (RFC 2696), where it can",
          .default_json = "500",
          .min = 1,
          .max = 5'000},
    Field{.name = "max_rows",
          .types = Types::integer,
          .doc = "more entries than this are an error (`too_large`)",
          .min = 1,
          .max = 1'000'000'000},
    Field{.name = "batch",
          .types = Types::integer,
          .doc = "rows in one item of `batches`, at most",
          .default_json = "500",
          .min = 1,
          .max = 10'000}};

constexpr Field kDn{.name = "dn", .doc = "the entry, as a distinguished name at or below the connection's base"};
constexpr Field kName{
    .name = "name",
    .types = Types::map,
    .doc = "or its own name as attributes and their values, which are escaped: `{uid: \"${{ ... }}\"}`"};
constexpr Field kParent{.name = "parent",
                        .doc = "with `name`: the entry it is below; without it the connection's base"};
constexpr std::array kAddFields{kDn, kName, kParent,
                                Field{.name = "attributes",
                                      .types = Types::map,
                                      .traits = Traits::required | Traits::accepts_secret,
                                      .doc = "values by attribute: texts, bytes, integers, booleans, or a list of "
                                             "these; the values of its own name are added"}};
constexpr std::array kModifyFields{
    kDn,
    kName,
    kParent,
    Field{.name = "replace",
          .types = Types::map,
          .traits = Traits::accepts_secret,
          .doc = "the values that attributes have from then on; null for none"},
    Field{.name = "add",
          .types = Types::map,
          .traits = Traits::accepts_secret,
          .doc = "values that are added to those there are"},
    Field{.name = "delete", .types = Types::map, .doc = "values that are taken away; null for the whole attribute"},
    Field{.name = "increment", .types = Types::map, .doc = "by how much numbers are raised, where the server can"}};
constexpr std::array kDeleteFields{kDn, kName, kParent};
constexpr std::array kRenameFields{
    kDn,
    kName,
    kParent,
    Field{.name = "new_name",
          .types = Types::map,
          .traits = Traits::required,
          .doc = "the new own name as attributes and their values"},
    Field{.name = "new_parent", .doc = "the entry it is moved below; without it it stays where it is"},
    Field{.name = "keep_old_values",
          .types = Types::boolean,
          .doc = "keep the values of the old name as attributes",
          .default_json = "false"}};
constexpr std::array kDnOrName{"dn"sv, "name"sv};

constexpr std::array kDnOutput{OutputField{"dn", Types::text, "the name of the entry"}};
constexpr std::array kDeleteOutput{OutputField{"deleted", Types::boolean, "false when it was gone already"}};
constexpr std::array kSearchOutput{
    OutputField{"rows", Types::rows, "the entries, read as they are needed: `dn` and the attributes"},
    OutputField{
        "batches", Types::rows,
        "the same; `foreach` over it takes a list of rows at a time: `batch` of them, fewer when they are over 1 MiB"},
    OutputField{"count", Types::integer, "how many entries there are"},
    OutputField{"columns", Types::list, "`dn` and the attributes, in order"},
    OutputField{"list", Types::any,
                "the rows as a list of maps when they are few (100 rows, 64 KiB, 128 KiB with their names), else null"},
    OutputField{"referrals", Types::integer, "how many parts of the result lie on other servers, and are left out"}};

constexpr std::array kActions{
    ActionInfo{.name = "ldap.search@1",
               .doc = "Reads entries of a directory, page by page, each of at most 4 MiB. Attributes that the server "
                      "gives in parts (`member;range=0-1499`) are put together.",
               .connections = kKinds,
               .fields = kSearchFields,
               .output = kSearchOutput,
               .effect = Effect::read,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "ldap.add@1",
               .doc = "Adds an entry. Run again after a crash, an entry that is there with all of these values counts "
                      "as added.",
               .connections = kKinds,
               .fields = kAddFields,
               .exactly_one = kDnOrName,
               .output = kDnOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "ldap.modify@1",
               .doc = "Changes the attributes of an entry, all or none: first `delete`, then `add`, `increment`, "
                      "`replace`. With `replace` alone it may be run again after a crash; otherwise it is in doubt.",
               .connections = kKinds,
               .fields = kModifyFields,
               .exactly_one = kDnOrName,
               .output = kDnOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "ldap.delete@1",
               .doc = "Deletes an entry that has none below it.",
               .connections = kKinds,
               .fields = kDeleteFields,
               .exactly_one = kDnOrName,
               .output = kDeleteOutput,
               .effect = Effect::write,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
    ActionInfo{.name = "ldap.rename@1",
               .doc = "Renames an entry, or moves it and all below it.",
               .connections = kKinds,
               .fields = kRenameFields,
               .exactly_one = kDnOrName,
               .output = kDnOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::planned},
};

}  // namespace

std::span<const ActionInfo> ldap() { return kActions; }

}  // namespace sallyport::recipe::tables
