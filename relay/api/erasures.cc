#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/user_notes.h"
#include "relay/erasure/eraser.h"
#include "relay/erasure/receipt.h"
#include "relay/keys/custodian.h"
#include "shared/base/json.h"
#include "shared/crypto/signed_document.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

Value shape(const store::Erasure& erasure, const store::ErasedObjects& objects = {}) {
  const auto receipt = parse_json(erasure.receipt);
  return Object()
      .put("id", erasure.id)
      .put("subject", to_string(erasure.subject))
      .put("organisation", erasure.org)
      .put("person", erasure.person.empty() ? std::nullopt : std::optional(erasure.person))
      .put("state", erasure.finished_at ? "erased" : "erasing")
      .put("asked_at", erasure.asked_at)
      .put("finished_at", erasure.finished_at)
      .put("archived_objects_left", Value(static_cast<std::int64_t>(objects.left)))
      .put("receipt", receipt.value_or(Value()))
      .done();
}

Answer begun(const store::Erasure& erasure) {
  auto response = json_response(202, shape(erasure));
  response.headers.set("Location", "/v1/erasures/" + erasure.id.value);
  return {std::move(response)};
}

erasure::Eraser::Order order_of(const Call& call) {
  return {.asked_by = call.caller.actor(), .id = ErasureId(call.text("erasure").value_or(""))};
}

// Whoever was not answered orders again, with the id of the first time: that one is what they get. conflict: it is the
// id of another erasure.
asio::awaitable<Result<std::optional<Answer>>> begun_before(Services& services, const Call& call, OrgId org,
                                                            UserId person = {}) {
  const auto order = order_of(call);
  if (order.id.empty()) co_return std::nullopt;
  const auto known = co_await services.stores.erasures.find(order.id);
  if (!known && known.error().code == Errc::not_found) co_return std::nullopt;
  if (!known) co_return std::unexpected(known.error());
  if (known->org != org || known->person != person) co_return fail(Errc::conflict, "this id is another erasure's");
  SP_CO_CHECK(co_await record_apart(services, call));
  co_return begun(*known);
}

asio::awaitable<Result<Answer>> erase_user(Services& services, Call call) {
  SP_CO_TRY(auto before, co_await begun_before(services, call, call.caller.org, call.id<UserId>("user")));
  if (before) co_return *std::move(before);
  auto note = note_with_tokens(services, call);
  SP_CO_TRY(const auto erasure, co_await services.eraser.begin_person(call.caller.org, call.id<UserId>("user"),
                                                                      order_of(call), std::move(note)));
  co_return begun(erasure);
}

// Whoever has its name before their eyes does not erase another one.
asio::awaitable<Result<Answer>> erase_named(Services& services, Call call, OrgId org) {
  call.ticket.record.target = "organisation:" + org.value;
  SP_CO_TRY(auto before, co_await begun_before(services, call, org));
  if (before) co_return *std::move(before);
  SP_CO_TRY(const auto organisation, co_await services.stores.organisations.find(org));
  if (call.required_text("name") != organisation.name) co_return unfit("/name", "is not the name of this organisation");
  SP_CO_TRY(const auto erasure,
            co_await services.eraser.begin_organisation(org, order_of(call), note_of<>(services, call)));
  services.retention.forget();
  co_return begun(erasure);
}

asio::awaitable<Result<Answer>> erase_own_organisation(Services& services, Call call) {
  const auto org = call.caller.org;
  co_return co_await erase_named(services, std::move(call), org);
}

asio::awaitable<Result<Answer>> erase_organisation(Services& services, Call call) {
  auto org = call.id<OrgId>("organisation");
  co_return co_await erase_named(services, std::move(call), std::move(org));
}

asio::awaitable<Result<Answer>> get_erasure(Services& services, Call call) {
  SP_CO_TRY(const auto erasure, co_await services.stores.erasures.find(call.id<ErasureId>("erasure")));
  SP_CO_TRY(const auto objects, co_await services.stores.erasures.objects(erasure.id));
  co_return ok(shape(erasure, objects));
}

asio::awaitable<Result<Answer>> get_receipt_key(Services& services, Call call) {
  SP_CO_TRY(const auto key, co_await services.receipts.public_key(call.query_text("id").value_or("")));
  SP_CO_TRY(const auto pem, crypto::public_key_pem(key));
  co_return ok(
      Object().put("id", Value(crypto::key_id(key))).put("algorithm", Value("Ed25519")).put("public_key", pem).done());
}

asio::awaitable<Result<Answer>> get_keys_receipt(Services& services, Call call) {
  SP_CO_TRY(const auto keys, co_await services.keys.of_organisation(call.caller.org));
  SP_CO_TRY(const auto epoch, co_await services.keys.epoch());
  if (const auto settled = co_await services.keys.settled(); !settled) {
    services.log.error("keys.not_settled", {{"reason", settled.error().message}});
    co_return fail(Errc::unavailable, "an older anchor is still on the relay's disk; its log tells its operator why");
  }
  SP_CO_TRY(const auto receipt, co_await services.receipts.sign(erasure::shredding_receipt(
                                    call.caller.org, services.clock.wall(), epoch, keys.lanes)));
  co_return ok(receipt);
}

constexpr std::array<std::string_view, 1> kErasureIds{"era_"}, kOrganisationIds{"org_"};
constexpr std::array kErasurePath{id_field("erasure", kErasureIds)};
constexpr std::array kOrganisationPath{id_field("organisation", kOrganisationIds)};
constexpr std::array<std::string_view, 1> kWord{"erase"};
constexpr Field kConfirm{.name = "confirm", .presence = Presence::required, .among = kWord};
constexpr auto kChosenId = id_field("erasure", kErasureIds, Presence::optional);
constexpr std::array kPersonFields{kConfirm, kChosenId};
constexpr Schema kPerson{"PersonErasure", kPersonFields};
constexpr std::array kOrganisationFields{
    kConfirm, kChosenId, Field{.name = "name", .presence = Presence::required, .least = 1, .most = 100}};
constexpr Schema kOrganisation{"OrganisationErasure", kOrganisationFields};

constexpr std::array kReceiptKeyQuery{Field{.name = "id", .least = 1, .most = 64}};

constexpr std::array kRoutes{
    Route{.id = "erase_user",
          .method = http::Method::post,
          .pattern = "/v1/users/{user}/erase",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::users_write,
          .path = kUserPath,
          .body = Body::json,
          .request = &kPerson,
          .response = "Erasure",
          .repeat = Repeat::keyed,
          .audited = "user.erase",
          .handler = erase_user},
    Route{.id = "erase_own_organisation",
          .method = http::Method::post,
          .pattern = "/v1/organisation/erase",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kOrganisation,
          .response = "Erasure",
          .repeat = Repeat::idempotent,
          .audited = "organisation.erase",
          .handler = erase_own_organisation},
    Route{.id = "erase_organisation",
          .method = http::Method::post,
          .pattern = "/v1/organisations/{organisation}/erase",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_write,
          .path = kOrganisationPath,
          .body = Body::json,
          .request = &kOrganisation,
          .response = "Erasure",
          .repeat = Repeat::keyed,
          .audited = "organisation.erase",
          .handler = erase_organisation},
    Route{.id = "get_erasure",
          .pattern = "/v1/erasures/{erasure}",
          .reach = Reach::open,
          .path = kErasurePath,
          .response = "Erasure",
          .handler = get_erasure},
    Route{.id = "get_receipt_key",
          .pattern = "/v1/receipt-key",
          .reach = Reach::open,
          .query = kReceiptKeyQuery,
          .response = "ReceiptKey",
          .handler = get_receipt_key},
    Route{.id = "get_keys_receipt",
          .pattern = "/v1/keys/receipt",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::organisation_read,
          .response = "Receipt",
          .handler = get_keys_receipt},
};

}  // namespace

std::span<const Route> erasure_routes() { return kRoutes; }

}  // namespace sallyport::api
