#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"

#include <fmt/format.h>

namespace sallyport::api {

namespace asio = boost::asio;

using authorizations::Facts;
using authorizations::State;

namespace {

Object shape(const Facts& facts) {
  Object object;
  object.put("id", facts.id)
      .put("agent", facts.order.agent)
      .put("connection", Value(facts.order.connection))
      .put("state", Value(to_string(facts.state)))
      .put("message", facts.message.empty() ? Value() : Value(facts.message))
      .put("expires_at", facts.expires_at);
  return object;
}

// The row is there before an agent is asked.
asio::awaitable<Result<Answer>> begin_authorization(Services& services, Call call) {
  authorizations::Order order{call.caller.org, call.caller.actor(), AgentId(call.required_text("agent")),
                              call.required_text("connection")};
  SP_CO_CHECK(co_await services.stores.agents.find(order.org, order.agent));
  call.ticket.record.target = "agent:" + order.agent.value;
  call.ticket.record.detail.emplace(Value("connection"), Value(order.connection));
  SP_CO_CHECK(co_await record_apart(services, call));
  const auto begun = co_await services.authorizations.begin(std::move(order));
  if (!begun) co_return not_after_all(call, begun.error());
  co_return created("/v1/authorizations/" + begun->id.value, shape(*begun).put("url", Value(begun->url)).done());
}

asio::awaitable<Result<Answer>> get_authorization(Services& services, Call call) {
  SP_CO_TRY(const auto facts,
            services.authorizations.find(call.caller.org, call.id<authorizations::AuthorizationId>("authorization")));
  co_return ok(shape(facts).done());
}

// What a person sees who comes back from logging in. Nothing in it comes from the request.
Answer page(int status, std::string_view title, std::string_view text) {
  auto response = text_response(
      "text/html; charset=utf-8",
      fmt::format(
          "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Sallyport</title>\n<h1>{}</h1>\n"
          "<p>{}</p>\n</html>\n",
          title, text));
  response.status = status;
  return {std::move(response)};
}

asio::awaitable<void> tell_ledger(Services& services, const Call& call, Facts facts) {
  AuditRecord row{.actor = facts.order.actor,
                  .action = "connection.authorized",
                  .target = "agent:" + facts.order.agent.value,
                  .outcome = facts.state == State::authorized ? AuditOutcome::done : AuditOutcome::refused,
                  .detail = {{Value("connection"), Value(facts.order.connection)},
                             {Value("authorization"), Value(facts.id.value)},
                             {Value("from"), Value(call.peer)}},
                  .request_id = call.request_id};
  const auto written = co_await services.audit.record(facts.order.org, std::move(row));
  if (!written) services.log.error("audit.failed", {{"reason", written.error().message}});
}

// Changes nothing that is stored here, and needs no login: the state is known to whoever logged in, and counts once.
asio::awaitable<Result<Answer>> come_back(Services& services, Call call) {
  const auto came = [&](std::string_view name) { return call.query_text(name).value_or(""); };
  const auto taken = co_await services.authorizations.take({came("state"), came("code"), came("iss"), came("error")});
  if (!taken)
    co_return page(404, "Nothing waits for this page",
                   "It was opened before, it is more than ten minutes old, or it belongs to no authorization. Begin "
                   "again where you began.");
  co_await tell_ledger(services, call, *taken);
  if (taken->state == State::authorized)
    co_return page(200, "The connection is authorized", "You may close this page.");
  co_return page(400, "The connection is not authorized", "The command that began this says why.");
}

constexpr std::array<std::string_view, 1> kAuthorizationIds{"aut_"};
constexpr std::array kPath{id_field("authorization", kAuthorizationIds)};
constexpr std::array kOrderFields{id_field("agent", kAgentIds),
                                  Field{.name = "connection", .presence = Presence::required, .least = 1, .most = 63}};
constexpr Schema kOrder{"AuthorizationOrder", kOrderFields};
constexpr std::array kCallbackQuery{Field{.name = "state", .most = 128}, Field{.name = "code", .most = 4096},
                                    Field{.name = "iss", .most = 512}, Field{.name = "error", .most = 128}};

constexpr std::array kRoutes{
    Route{.id = "begin_authorization",
          .method = http::Method::post,
          .pattern = "/v1/authorizations",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .body = Body::json,
          .request = &kOrder,
          .response = "BegunAuthorization",
          .repeat = Repeat::once,
          .audited = "connection.authorize",
          .handler = begin_authorization},
    Route{.id = "get_authorization",
          .pattern = "/v1/authorizations/{authorization}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .path = kPath,
          .response = "Authorization",
          .handler = get_authorization},
    Route{.id = "come_back",
          .pattern = "/oauth2/callback",
          .reach = Reach::open,
          .query = kCallbackQuery,
          .other_query = OtherQuery::ignored,
          .handler = come_back},
};

}  // namespace

std::span<const Route> authorization_routes() { return kRoutes; }

}  // namespace sallyport::api
