#include "relay/keys/own_keys.h"

#include "relay/api/key_shapes.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

// The key of its own that an organisation attaches.
namespace sallyport::api {

namespace asio = boost::asio;

namespace {

struct Kind {
  std::string_view name;
  std::vector<std::string_view> needed;
  std::vector<std::string_view> allowed;  // besides
  bool has_credentials;
};

const std::array<Kind, 4>& kinds() {
  static const std::array<Kind, 4> all{Kind{"aws_kms", {"region", "key"}, {"endpoint"}, true},
                                       Kind{"vault", {"address", "key"}, {"mount", "namespace"}, true},
                                       Kind{"pkcs11", {"name"}, {}, false}, Kind{"file", {"name"}, {}, false}};
  return all;
}

constexpr std::array<std::string_view, 7> kPlaceMembers{"region", "key",       "endpoint", "address",
                                                        "mount",  "namespace", "name"};

// The order that the body is, or what is wrong with it for its kind.
std::expected<keys::OwnKeyOrder, Answer> order_of(const Call& call) {
  keys::OwnKeyOrder order{call.required_text("kind"), {}, {}};
  const auto& kind = *std::ranges::find(kinds(), order.kind, &Kind::name);
  for (const auto member : kPlaceMembers) {
    const auto text = call.text(member);
    const bool needed = std::ranges::find(kind.needed, member) != kind.needed.end();
    const bool allowed = needed || std::ranges::find(kind.allowed, member) != kind.allowed.end();
    if (text && !allowed)
      return std::unexpected(unfit(fmt::format("/{}", member), fmt::format("is not of a key of kind {}", kind.name)));
    if (!text && needed)
      return std::unexpected(
          unfit(fmt::format("/{}", member), fmt::format("is needed of a key of kind {}", kind.name)));
    if (text) order.place.emplace(Value(member), Value(*text));
  }
  if ((call.secret != nullptr) != kind.has_credentials) {
    return std::unexpected(unfit("/credentials", kind.has_credentials ? "are needed for a key of this kind"
                                                                      : "are the operator's for a key of this kind"));
  }
  if (call.secret) order.credentials = call.secret->duplicate();
  return order;
}

// The row of the ledger comes when the key has proven itself, and before anything is changed.
auto before_change(Services& services, const Call& call) {
  return [&services, &call]() { return record_apart(services, call); };
}

asio::awaitable<Result<Answer>> attach_own_key(Services& services, Call call) {
  const auto org = call.caller.org;
  call.ticket.record.target = "organisation:" + org.value;
  auto order = order_of(call);
  if (!order) co_return std::move(order).error();
  call.ticket.record.detail.emplace(Value("kind"), Value(order->kind));
  call.ticket.record.detail.emplace(Value("place"), Value(order->place));
  const auto attached = co_await services.keys.own().attach(org, *std::move(order), before_change(services, call));
  if (!attached) co_return not_after_all(call, attached.error());
  co_return co_await show_keys(services, call.caller);
}

asio::awaitable<Result<Answer>> detach_own_key(Services& services, Call call) {
  const auto org = call.caller.org;
  call.ticket.record.target = "organisation:" + org.value;
  const bool gives_up = call.query_text("give_up").has_value();
  if (gives_up) call.ticket.record.detail.emplace(Value("gives_up"), Value(true));
  const auto how = gives_up ? keys::OwnKeys::Detach::without_it : keys::OwnKeys::Detach::with_its_key;
  const auto detached = co_await services.keys.own().detach(org, how, before_change(services, call));
  if (!detached) co_return not_after_all(call, detached.error());
  co_return co_await show_keys(services, call.caller);
}

constexpr std::array<std::string_view, 4> kKindNames{"aws_kms", "vault", "pkcs11", "file"};
constexpr std::array<std::string_view, 1> kConfirmed{"confirmed"};
constexpr std::array kOrderFields{Field{.name = "kind", .presence = Presence::required, .among = kKindNames},
                                  Field{.name = "region", .least = 1, .most = 40},
                                  Field{.name = "key", .least = 1, .most = 400},
                                  Field{.name = "endpoint", .least = 1, .most = 255},
                                  Field{.name = "address", .least = 1, .most = 255},
                                  Field{.name = "mount", .least = 1, .most = 200},
                                  Field{.name = "namespace", .least = 1, .most = 200},
                                  Field{.name = "name", .least = 1, .most = 64},
                                  Field{.name = "credentials", .least = 1, .most = 12'000, .format = Format::secret}};
constexpr Schema kOrder{"OwnKeyOrder", kOrderFields};
constexpr std::array kDetachQuery{Field{.name = "confirm", .presence = Presence::required, .among = kConfirmed},
                                  Field{.name = "give_up", .among = kConfirmed}};

constexpr std::array kRoutes{
    Route{.id = "attach_own_key",
          .method = http::Method::put,
          .pattern = "/v1/keys/own",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kOrder,
          .response = "OrganisationKeys",
          .repeat = Repeat::idempotent,
          .audited = "keys.attach",
          .handler = attach_own_key},
    Route{.id = "detach_own_key",
          .method = http::Method::del,
          .pattern = "/v1/keys/own",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .query = kDetachQuery,
          .response = "OrganisationKeys",
          .repeat = Repeat::idempotent,
          .audited = "keys.detach",
          .handler = detach_own_key},
};

}  // namespace

std::span<const Route> own_key_routes() { return kRoutes; }

}  // namespace sallyport::api
