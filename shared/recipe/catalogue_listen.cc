#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kListen{"http-listen"sv};
constexpr std::array kMethods{"GET"sv, "POST"sv, "PUT"sv, "PATCH"sv, "DELETE"sv};
constexpr std::array kFields{
    Field{.name = "path",
          .traits = Traits::required | Traits::literal_only,
          .doc = "one of the connection's senders, as the operator has written it: `/github/push`"},
    Field{.name = "method",
          .traits = Traits::literal_only,
          .doc = "the one that requests have",
          .default_json = "\"POST\"",
          .choices = kMethods}};
constexpr std::array kData{
    OutputField{"id", Types::text, "the event's id, which the sender was answered with"},
    OutputField{"method", Types::text, "as in `with`"},
    OutputField{"path", Types::text, "as in `with`"},
    OutputField{"query", Types::map, "what stood behind `?`, by name: texts"},
    OutputField{"headers", Types::map, "those that the operator has named, in lower case: texts"},
    OutputField{"content_type", Types::text, "the media type that the body is said to have; may be empty"},
    OutputField{"body", Types::text, "the body as text; null when it is none (UTF-8)"},
    OutputField{"base64", Types::text, "the body in base64, when it is no text; else null"},
    OutputField{"json", Types::any, "the body as a value, when it is a JSON object or list; else null"}};

constexpr std::array kDelivered{
    OutputField{"id", Types::text, "the `webhook-id` that the sender gave; null where its proof has none"},
    OutputField{"webhook", Types::text, "the id of the webhook that was called"},
    OutputField{"content_type", Types::text, "the media type that the body is said to have; may be empty"},
    OutputField{"body", Types::text, "the body as text; null when it is none (UTF-8)"},
    OutputField{"base64", Types::text, "the body in base64, when it is no text; else null"},
    OutputField{"json", Types::any, "the body as a value, when it is a JSON object or list; else null"}};

constexpr std::array kTriggers{
    TriggerInfo{
        .name = kWebhookTrigger,
        .doc =
            "Starts for each request that another system sends to the relay, at the address of a webhook of this "
            "recipe, with a signature. A delivery that comes again starts no second job. Its data has at most 240 KiB "
            "(`docs/connectors/webhook.md`).",
        .data = kDelivered},
    TriggerInfo{
        .name = "http.listen@1",
        .doc =
            "Starts for each request that a program sends to the agent itself, also while the link is down. A request "
            "is "
            "answered with 202 when its job is kept on this machine; a delivery that comes again starts no second job. "
            "Its data has at most 240 KiB (`docs/connectors/http-listen.md`).",
        .connections = kListen,
        .fields = kFields,
        .data = kData}};

}  // namespace

std::span<const TriggerInfo> listen_triggers() { return kTriggers; }

}  // namespace sallyport::recipe::tables
