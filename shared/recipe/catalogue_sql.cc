#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"sql"sv};
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,    "policy"sv,      "invalid"sv,
                                 "not_found"sv,  "constraint"sv, "transaction"sv, "permission"sv,
                                 "too_large"sv,  "disk_full"sv,  "format"sv};
constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,     "policy"sv,     "invalid"sv,   "not_found"sv,
                                  "constraint"sv, "transaction"sv, "permission"sv, "too_large"sv, "changed"sv,
                                  "disk_full"sv,  "format"sv,      "in_doubt"sv};

constexpr Field kStatement{.name = "statement",
                           .traits = Traits::required | Traits::literal_only,
                           .doc = "one SQL statement; data goes in as parameters `:name`"};
constexpr Field kOneSet{.name = "params",
                        .types = Types::map,
                        .traits = Traits::accepts_secret,
                        .doc = "values of the statement's parameters by name"};
constexpr Field kManySets{.name = "params",
                          .types = Types::map | Types::list | Types::rows,
                          .traits = Traits::accepts_secret,
                          .doc =
                              "values of the statement's parameters by name; a list of maps or a row set runs the "
                              "statement once for each of them, all in one transaction"};

constexpr std::array kQueryFields{kStatement, kOneSet,
                                  Field{.name = "max_rows",
                                        .types = Types::integer,
                                        .doc = "more rows than this are an error (`too_large`)",
                                        .min = 1,
                                        .max = 1'000'000'000},
                                  Field{.name = "batch",
                                        .types = Types::integer,
                                        .doc = "rows in one item of `batches`, at most",
                                        .default_json = "500",
                                        .min = 1,
                                        .max = 10'000}};
constexpr Field kExactlyOnce{.name = "exactly_once",
                             .types = Types::boolean,
                             .doc =
                                 "leave the step's key in the effect ledger, where the connection has one, so that a "
                                 "run after a crash has no second effect",
                             .default_json = "true"};
constexpr std::array kExecuteFields{kStatement, kManySets, kExactlyOnce};
constexpr std::array kInTransaction{kStatement, kManySets};
constexpr std::array kTransactionFields{Field{.name = "statements",
                                              .types = Types::list,
                                              .traits = Traits::required,
                                              .doc = "run in this order in one transaction; all take effect or none",
                                              .inside = kInTransaction},
                                        kExactlyOnce};

constexpr std::array kBatchFields{
    kStatement,
    Field{.name = "rows",
          .types = Types::list | Types::rows,
          .traits = Traits::required | Traits::accepts_secret,
          .doc = "values of the statement's parameters by name; the statement is run once for each row"},
    Field{.name = "commit_every",
          .types = Types::integer,
          .traits = Traits::literal_only,
          .doc = "rows in one transaction; without it all are in one, and take effect together or not at all",
          .min = 1,
          .max = 1'000'000},
    kExactlyOnce};

constexpr std::array kQueryOutput{
    OutputField{"rows", Types::rows, "the rows, read as they are needed"},
    OutputField{
        "batches", Types::rows,
        "the same; `foreach` over it takes a list of rows at a time: `batch` of them, fewer when they are over 1 MiB"},
    OutputField{"count", Types::integer, "how many rows there are"},
    OutputField{"columns", Types::list, "the names of the columns, in order"},
    OutputField{
        "list", Types::any,
        "the rows as a list of maps when they are few (100 rows, 64 KiB, 128 KiB with their names), else null"}};
constexpr std::array kExecuteOutput{OutputField{"affected", Types::integer, "rows changed, all runs together"}};

constexpr std::array kBatchOutput{OutputField{"affected", Types::integer, "rows changed, all runs together"},
                                  OutputField{"rows", Types::integer, "rows that were read"}};

constexpr std::array kActions{
    ActionInfo{
        .name = "sql.query@1",
        .doc =
            "Reads rows, each of at most 4 MiB. The statement runs in a transaction that is read only. What becomes of "
            "each type: `recipes.md`, Values of databases.",
        .connections = kKinds,
        .fields = kQueryFields,
        .output = kQueryOutput,
        .effect = Effect::read,
        .repeat = Repeat::safe,
        .error_classes = kReadErrors,
        .dry_run = DryRun::rolls_back},
    ActionInfo{.name = "sql.execute@1",
               .doc = "Runs one statement that changes data, once or for each set of parameters. A statement that only "
                      "selects runs read only. Rows that it returns are counted against the policy's limits and "
                      "dropped.",
               .connections = kKinds,
               .fields = kExecuteFields,
               .output = kExecuteOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::rolls_back},
    ActionInfo{.name = "sql.transaction@1",
               .doc = "Runs several statements in one transaction, which is read only when all of them only select. "
                      "Rows that they return are counted against the policy's limits and dropped.",
               .connections = kKinds,
               .fields = kTransactionFields,
               .output = kExecuteOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::rolls_back},
    ActionInfo{.name = "sql.batch@1",
               .doc = "Runs one statement that changes data once for each row, many rows to a round trip where the "
                      "database can. An error names the row by its number. With `commit_every`, rows that are "
                      "committed stay when a later one fails: with an effect ledger the step goes on behind them when "
                      "it is run again, without one it ends `in_doubt`.",
               .connections = kKinds,
               .fields = kBatchFields,
               .output = kBatchOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::rolls_back},
};

constexpr std::int64_t kSecond = 1'000;
constexpr std::array kPollFields{
    Field{.name = "statement",
          .traits = Traits::required | Traits::literal_only,
          .doc = "a query for the rows beyond `:cursor`, ordered by the cursor's column; a `limit` spares the server"},
    Field{.name = "cursor",
          .traits = Traits::required | Traits::literal_only,
          .doc = "column that only grows from row to row: integers, text, dates or times"},
    Field{.name = "start",
          .types = Types::text | Types::integer,
          .traits = Traits::required | Traits::literal_only,
          .doc = "`:cursor` of the first poll; another value here begins anew with it"},
    Field{.name = "every",
          .types = Types::duration,
          .traits = Traits::literal_only,
          .doc = "from one poll to the next; while there are more rows than fit into an event it polls on at once",
          .default_json = "\"1m\"",
          .min = kSecond,
          .max = 86'400 * kSecond},
    Field{.name = "batch",
          .types = Types::integer,
          .traits = Traits::literal_only,
          .doc = "rows in one event, at most; fewer when they are over 240 KiB",
          .default_json = "100",
          .min = 1,
          .max = 1'000}};
constexpr std::array kPollData{OutputField{"rows", Types::list, "the rows, as maps by column"},
                               OutputField{"count", Types::integer, "how many"},
                               OutputField{"cursor", Types::any, "the cursor of the last of them"}};

constexpr std::array kTriggers{TriggerInfo{
    .name = "sql.poll@1",
    .doc = "Starts for each batch of rows that a query gives beyond the last one, also while the link is down. The "
           "cursor is kept with the job that it started (`recipes.md`, Polling a database).",
    .connections = kKinds,
    .fields = kPollFields,
    .data = kPollData}};

}  // namespace

std::span<const TriggerInfo> sql_triggers() { return kTriggers; }
std::span<const ActionInfo> sql() { return kActions; }

}  // namespace sallyport::recipe::tables
