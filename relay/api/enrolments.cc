#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_enrolment_tokens(Services& services, Call call) {
  const auto now = services.clock.wall();
  SP_CO_TRY(const auto page, co_await services.stores.enrolment_tokens.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [now](const auto& one) { return shape(one, now); }));
}

Said made_as(const store::EnrolmentToken& token) {
  ValueMap detail{{Value("group"), Value(token.group.value)},
                  {Value("max_uses"), Value(static_cast<std::int64_t>(token.max_uses))}};
  if (token.agent) detail.emplace(Value("agent"), Value(token.agent->value));
  return {"enrolment_token:" + token.id.value, std::move(detail)};
}

asio::awaitable<Result<void>> say_for_whom(Services& services, Call call, identity::TokenOrder& order) {
  const auto agent = call.text("agent");
  if (!agent) {
    SP_CO_TRY(order.group, co_await group_of(services, call));
    co_return Result<void>();
  }
  if (call.text("group") || call.text("group_name"))
    co_return fail(Errc::invalid, "an agent stays in its group: say agent, or a group for new agents");
  order.agent = AgentId(*agent);
  co_return Result<void>();
}

asio::awaitable<Result<Answer>> create_enrolment_token(Services& services, Call call) {
  identity::TokenOrder order{.created_by = call.caller.user};
  SP_CO_CHECK(co_await say_for_whom(services, call, order));
  if (const auto uses = call.integer("max_uses")) order.max_uses = static_cast<std::uint32_t>(*uses);
  if (const auto life = call.duration("expires_in")) {
    order.lifetime = std::chrono::duration_cast<std::chrono::seconds>(*life);
  }
  auto note = note_of<store::EnrolmentToken>(services, call, {}, made_as);
  SP_CO_TRY(const auto made, co_await services.enrolments.make_token(call.caller.org, order, std::move(note)));
  auto body = shape(made.token, services.clock.wall()).as_map();
  body.emplace(Value("enrolment_string"), Value(made.text.reveal()));
  co_return created("/v1/enrolment-tokens/" + made.token.id.value, Value(std::move(body)));
}

asio::awaitable<Result<Answer>> get_enrolment_token(Services& services, Call call) {
  const auto id = call.id<EnrolmentId>("enrolment_token");
  SP_CO_TRY(const auto token, co_await services.stores.enrolment_tokens.find(call.caller.org, id));
  co_return ok(shape(token, services.clock.wall()));
}

asio::awaitable<Result<Answer>> revoke_enrolment_token(Services& services, Call call) {
  const auto id = call.id<EnrolmentId>("enrolment_token");
  SP_CO_CHECK(co_await services.stores.enrolment_tokens.revoke(call.caller.org, id, services.clock.wall(),
                                                               note_of<>(services, call)));
  co_return no_content();
}

constexpr std::array kNewFields{id_field("group", kGroupIds, Presence::optional),
                                Field{.name = "group_name", .least = 1, .most = 63},
                                Field{.name = "max_uses",
                                      .type = FieldType::integer,
                                      .least = 1,
                                      .most = static_cast<std::int64_t>(identity::kMostTokenUses)},
                                Field{.name = "expires_in", .most = 16, .format = Format::duration},
                                id_field("agent", kAgentIds, Presence::optional)};
constexpr Schema kNew{"NewEnrolmentToken", kNewFields};

constexpr auto kListQuery = page_query(kEnrolmentIds);

constexpr std::array kRoutes{
    Route{.id = "list_enrolment_tokens",
          .pattern = "/v1/enrolment-tokens",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .query = kListQuery,
          .response = "EnrolmentTokenPage",
          .handler = list_enrolment_tokens},
    Route{.id = "create_enrolment_token",
          .method = http::Method::post,
          .pattern = "/v1/enrolment-tokens",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .body = Body::json,
          .request = &kNew,
          .response = "CreatedEnrolmentToken",
          .repeat = Repeat::once,
          .audited = "enrolment_token.create",
          .handler = create_enrolment_token},
    Route{.id = "get_enrolment_token",
          .pattern = "/v1/enrolment-tokens/{enrolment_token}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .path = kEnrolmentPath,
          .response = "EnrolmentToken",
          .handler = get_enrolment_token},
    Route{.id = "revoke_enrolment_token",
          .method = http::Method::del,
          .pattern = "/v1/enrolment-tokens/{enrolment_token}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kEnrolmentPath,
          .repeat = Repeat::idempotent,
          .audited = "enrolment_token.revoke",
          .handler = revoke_enrolment_token},
};

}  // namespace

std::span<const Route> enrolment_routes() { return kRoutes; }

}  // namespace sallyport::api
