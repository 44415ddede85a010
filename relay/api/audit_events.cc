#include "relay/api/fields.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_ledger(Services& services, Call call, OrgId ledger) {
  const store::AuditFilter filter{call.query_text("action"), call.query_time("since")};
  SP_CO_TRY(const auto page, co_await services.stores.audit_log.list(std::move(ledger), filter, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> verify_ledger(Services& services, OrgId ledger) {
  SP_CO_TRY(const auto verdict, co_await services.stores.audit_log.verify(std::move(ledger)));
  co_return ok(shape(verdict));
}

asio::awaitable<Result<Answer>> list_events(Services& services, Call call) {
  auto ledger = call.caller.org;
  return list_ledger(services, std::move(call), std::move(ledger));
}
asio::awaitable<Result<Answer>> verify_events(Services& services, Call call) {
  return verify_ledger(services, std::move(call.caller.org));
}
asio::awaitable<Result<Answer>> list_platform_events(Services& services, Call call) {
  return list_ledger(services, std::move(call), store::system_ledger());
}
asio::awaitable<Result<Answer>> verify_platform_events(Services& services, Call) {
  co_return co_await verify_ledger(services, store::system_ledger());
}

constexpr std::array kListQuery{cursor_field(kAuditCursor), kLimit, Field{.name = "action", .most = 64},
                                Field{.name = "since", .most = 40, .format = Format::time}};

constexpr std::array kRoutes{
    Route{.id = "list_audit_events",
          .pattern = "/v1/audit-events",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::audit_read,
          .query = kListQuery,
          .response = "AuditEventPage",
          .handler = list_events},
    Route{.id = "verify_audit_events",
          .pattern = "/v1/audit-events/verify",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::audit_read,
          .response = "AuditVerdict",
          .handler = verify_events},
    Route{.id = "list_platform_audit_events",
          .pattern = "/v1/platform/audit-events",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .query = kListQuery,
          .response = "AuditEventPage",
          .handler = list_platform_events},
    Route{.id = "verify_platform_audit_events",
          .pattern = "/v1/platform/audit-events/verify",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .response = "AuditVerdict",
          .handler = verify_platform_events},
};

}  // namespace

std::span<const Route> audit_routes() { return kRoutes; }

}  // namespace sallyport::api
