#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "relay/api/user_notes.h"
#include "shared/crypto/new_id.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_users(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.users.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> get_user(Services& services, Call call) {
  SP_CO_TRY(const auto user, co_await services.stores.users.find(call.caller.org, call.id<UserId>("user")));
  co_return ok(shape(user));
}

asio::awaitable<Result<Answer>> add_user(Services& services, Call call) {
  SP_CO_TRY(const auto role, domain::parse_role(call.required_text("role")));
  const store::User user{.id = crypto::new_id<UserId>(services.clock),
                         .org = call.caller.org,
                         .name = call.required_text("name"),
                         .email = call.required_text("email"),
                         .role = role,
                         .created_at = services.clock.wall()};
  auto note = note_of<>(services, call, {"user:" + user.id.value, {{Value("role"), Value(to_string(role))}}});
  SP_CO_CHECK(co_await services.stores.users.add(call.caller.org, user, std::move(note)));
  co_return created("/v1/users/" + user.id.value, shape(user));
}

}  // namespace

store::AuditNote<store::UserChange> note_with_tokens(const Services& services, const Call& call, Said said) {
  auto note = note_of<store::UserChange>(services, call, std::move(said));
  AuditRecord record = call.ticket.record;
  record.action = "enrolment_token.revoke";
  record.detail.emplace(Value("because"), Value(call.ticket.record.action));
  note.more = services.audit.further<store::UserChange>(
      call.ticket.ledger, [record = std::move(record)](const store::UserChange& change) {
        std::vector<AuditRecord> rows(change.revoked.size(), record);
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i].target = "enrolment_token:" + change.revoked[i].value;
        return rows;
      });
  return note;
}

namespace {

asio::awaitable<Result<Answer>> change_role(Services& services, Call call) {
  SP_CO_TRY(const auto role, domain::parse_role(call.required_text("role")));
  auto note = note_with_tokens(services, call, {"", {{Value("role"), Value(to_string(role))}}});
  SP_CO_TRY(const auto changed,
            co_await services.stores.users.change_role(call.caller.org, call.id<UserId>("user"), role,
                                                       services.clock.wall(), std::move(note)));
  co_return ok(shape(changed.user));
}

asio::awaitable<Result<Answer>> remove_user(Services& services, Call call) {
  SP_CO_TRY([[maybe_unused]] const auto removed,
            co_await services.stores.users.remove(call.caller.org, call.id<UserId>("user"), services.clock.wall(),
                                                  note_with_tokens(services, call)));
  co_return no_content();
}

constexpr std::array<std::string_view, 3> kRoles{"owner", "editor", "viewer"};
constexpr Field kRole{.name = "role", .presence = Presence::required, .among = kRoles};
constexpr std::array kNewFields{
    Field{.name = "name", .presence = Presence::required, .least = 1, .most = 100},
    Field{.name = "email", .presence = Presence::required, .least = 3, .most = 254, .format = Format::email}, kRole};
constexpr Schema kNew{"NewUser", kNewFields};
constexpr std::array kChangeFields{kRole};
constexpr Schema kChange{"UserChange", kChangeFields};

constexpr auto kListQuery = page_query(kUserIds);

constexpr std::array kRoutes{
    Route{.id = "list_users",
          .pattern = "/v1/users",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::users_read,
          .query = kListQuery,
          .response = "UserPage",
          .handler = list_users},
    Route{.id = "add_user",
          .method = http::Method::post,
          .pattern = "/v1/users",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::users_write,
          .body = Body::json,
          .request = &kNew,
          .response = "User",
          .repeat = Repeat::keyed,
          .audited = "user.add",
          .handler = add_user},
    Route{.id = "get_user",
          .pattern = "/v1/users/{user}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::users_read,
          .path = kUserPath,
          .response = "User",
          .handler = get_user},
    Route{.id = "change_user_role",
          .method = http::Method::patch,
          .pattern = "/v1/users/{user}",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::users_write,
          .path = kUserPath,
          .body = Body::json,
          .request = &kChange,
          .response = "User",
          .repeat = Repeat::idempotent,
          .audited = "user.change_role",
          .handler = change_role},
    Route{.id = "remove_user",
          .method = http::Method::del,
          .pattern = "/v1/users/{user}",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::users_write,
          .path = kUserPath,
          .repeat = Repeat::idempotent,
          .audited = "user.remove",
          .handler = remove_user},
};

}  // namespace

std::span<const Route> user_routes() { return kRoutes; }

}  // namespace sallyport::api
