#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"http"sv};
constexpr std::array kMethods{"GET"sv, "HEAD"sv, "OPTIONS"sv, "POST"sv, "PUT"sv, "PATCH"sv, "DELETE"sv};
constexpr std::array kNext{"link"sv, "cursor"sv, "page"sv};
constexpr std::array kReadErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv,   "not_found"sv,
                                 "permission"sv, "too_large"sv, "changed"sv, "disk_full"sv, "format"sv};
constexpr std::array kWriteErrors{"connection"sv, "timeout"sv,    "policy"sv,    "invalid"sv,
                                  "not_found"sv,  "permission"sv, "too_large"sv, "changed"sv,
                                  "disk_full"sv,  "format"sv,     "in_doubt"sv};

constexpr Field kPath{.name = "path",
                      .traits = Traits::literal_only,
                      .doc = "below the connection's `url`, which it cannot leave; data goes in as parameters `{name}`",
                      .default_json = "\"\""};
constexpr Field kParams{.name = "params",
                        .types = Types::map,
                        .doc = "values of the path's parameters by name; each is one segment or a part of one"};
constexpr Field kQuery{.name = "query",
                       .types = Types::map,
                       .doc = "the query: text, numbers and truth values by name, or lists of them; null is left out"};
constexpr Field kHeaders{.name = "headers",
                         .types = Types::map,
                         .traits = Traits::accepts_secret,
                         .doc =
                             "further headers by name; none of the transport, of the login, or that the connection "
                             "sends itself"};

constexpr std::array kPart{
    Field{.name = "name", .traits = Traits::required, .doc = "of the form's field"},
    Field{.name = "text", .traits = Traits::accepts_secret, .doc = "what the part holds"},
    Field{.name = "body", .types = Types::body, .traits = Traits::accepts_secret, .doc = "the same, as a stream"},
    Field{.name = "filename", .doc = "what the server is to call it"},
    Field{.name = "content_type", .doc = "its media type"}};
constexpr std::array kRequestFields{
    Field{.name = "method",
          .traits = Traits::literal_only,
          .doc = "the request's method",
          .default_json = "\"GET\"",
          .choices = kMethods},
    kPath,
    kParams,
    kQuery,
    kHeaders,
    Field{.name = "json",
          .types = Types::any,
          .traits = Traits::accepts_secret,
          .doc = "sent as JSON; at most one of `json`, `form`, `text`, `parts` and `body`"},
    Field{.name = "form", .types = Types::map, .traits = Traits::accepts_secret, .doc = "sent as a form's fields"},
    Field{.name = "text", .traits = Traits::accepts_secret, .doc = "sent as it is, in UTF-8"},
    Field{.name = "parts",
          .types = Types::list,
          .doc = "sent as multipart/form-data; each part has `text` or `body`",
          .inside = kPart},
    Field{.name = "body", .types = Types::body, .traits = Traits::accepts_secret, .doc = "sent as a stream"},
    Field{.name = "content_type", .doc = "the media type of what is sent, when it is another than usual"},
    Field{.name = "expect", .types = Types::list, .doc = "statuses that are no error; default: 200 to 299"},
    Field{.name = "read_json",
          .types = Types::boolean,
          .doc = "give the answer as a value in `json`",
          .default_json = "false"},
    Field{.name = "exactly_once",
          .types = Types::boolean,
          .doc = "send the step's key as Idempotency-Key with POST and PATCH, where the connection has "
                 "`idempotency_key: true`, so that a run after a crash has no second effect",
          .default_json = "true"}};
constexpr std::array kRequestOutput{
    OutputField{"status", Types::integer,
                "one that was expected: any other fails the step with `status:NNN`; `status`, `retry_after` (seconds) "
                "and the beginning of the answer (`text`) are told then"},
    OutputField{"headers", Types::map, "the answer's headers by name in lower case, as far as they fit into 16 KiB"},
    OutputField{"body", Types::body, "what the server answered"},
    OutputField{"json", Types::any,
                "the same as a value when `read_json` is set and it is JSON of at most 128 KiB, else null"}};

constexpr std::array kPagesFields{
    kPath,
    kParams,
    kQuery,
    kHeaders,
    Field{.name = "items",
          .traits = Traits::literal_only,
          .doc = "where a page has its list: a JSON pointer such as /data/items; default: the page is the list",
          .default_json = "\"\""},
    Field{.name = "next",
          .traits = Traits::literal_only,
          .doc =
              "what leads to the next page: the header `link` (rel=next), a `cursor` in the page, or the number of the "
              "`page`, up to one without items",
          .default_json = "\"link\"",
          .choices = kNext},
    Field{
        .name = "cursor",
        .traits = Traits::literal_only,
        .doc = "with `next: cursor`: where it is, a JSON pointer; nothing, null, false or no text there ends the list"},
    Field{
        .name = "parameter",
        .traits = Traits::literal_only,
        .doc =
            "the query's parameter that takes the cursor or the page's number; without it a cursor is the next page's "
            "address"},
    Field{.name = "first",
          .types = Types::integer,
          .doc = "with `next: page`: the first page's number",
          .default_json = "1",
          .min = 0,
          .max = 1'000'000'000},
    Field{.name = "max_pages",
          .types = Types::integer,
          .doc = "more pages than this are an error (`too_large`)",
          .default_json = "1000",
          .min = 1,
          .max = 1'000'000},
    Field{.name = "columns",
          .types = Types::list,
          .doc = "the members to take of each item, null for those it lacks; default: those of the first item, and an "
                 "item with others is an error"},
    Field{.name = "batch",
          .types = Types::integer,
          .doc = "rows in one item of `batches`, at most",
          .default_json = "500",
          .min = 1,
          .max = 10'000}};
constexpr std::array kPagesOutput{
    OutputField{"rows", Types::rows, "the items of all pages, read as they are needed"},
    OutputField{
        "batches", Types::rows,
        "the same; `foreach` over it takes a list of rows at a time: `batch` of them, fewer when they are over 1 MiB"},
    OutputField{"count", Types::integer, "how many items there are"},
    OutputField{"pages", Types::integer, "how many pages were read"},
    OutputField{"columns", Types::list, "the names of the columns, in order"}};

constexpr std::array kActions{
    ActionInfo{.name = "http.request@1",
               .doc =
                   "Sends one request and puts the answer into the spool. Redirects are followed for GET and HEAD, at "
                   "the same origin, where the local policy says so.",
               .connections = kKinds,
               .fields = kRequestFields,
               .output = kRequestOutput,
               .effect = Effect::write,
               .repeat = Repeat::ledger,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::reads_only},
    ActionInfo{.name = "http.pages@1",
               .doc = "Reads a JSON list that comes in pages of at most 4 MiB, all of the connection's origin.",
               .connections = kKinds,
               .fields = kPagesFields,
               .output = kPagesOutput,
               .effect = Effect::read,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> http() { return kActions; }

}  // namespace sallyport::recipe::tables
