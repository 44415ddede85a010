#include "relay/api/idempotency.h"

#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/http/problem.h"

#include <algorithm>
#include <array>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kLongestKey = 128;
constexpr std::size_t kKeysPerSweep = 500;
constexpr std::chrono::minutes kSweepEvery{10};
constexpr std::array<std::string_view, 3> kKeptHeaders{"Content-Type", "ETag", "Location"};

keys::RecordIdentity identity_of(const KeyedRequest& request) {
  return {request.org, "idempotency_keys", "response", request.key, keys::KeyClass::transient};
}

std::string kept(const http::Response& response) {
  ValueMap map{{Value("body"), Value(response.body)}};
  for (const auto name : kKeptHeaders) {
    if (const auto* value = response.headers.find(name)) map.emplace(Value(name), Value(*value));
  }
  return to_json(Value(std::move(map)));
}

Result<http::Response> restored(int status, std::string_view text) {
  SP_TRY(const Value stored, parse_json(text));
  http::Response response{.status = status};
  for (const auto name : kKeptHeaders) {
    if (const auto* value = stored.find(name)) response.headers.set(name, value->as_string());
  }
  response.headers.set("Idempotent-Replay", "true");
  response.body = stored.find("body")->as_string();
  return response;
}

}  // namespace

bool is_idempotency_key(std::string_view text) {
  return !text.empty() && text.size() <= kLongestKey &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

KeyedRequest keyed_request(const Caller& caller, std::string_view key, const http::Request& request) {
  crypto::Sha256 digest;
  digest.update(as_bytes(std::string(to_string(request.head.method)) + " " + request.head.target + "\n"));
  digest.update(as_bytes(request.body));
  const auto hash = digest.finish();
  return {caller.org, caller.token.value + ":" + std::string(key), Bytes(hash.begin(), hash.end())};
}

asio::awaitable<Result<Claimed>> Idempotency::claim(KeyedRequest request) {
  SP_CO_TRY(const auto print,
            co_await services_.fingerprints.of(request.org, "request", std::string(as_text(request.request_hash))));
  store::IdempotentRequest claim{request.key, Bytes(print.begin(), print.end()), services_.clock.wall()};
  auto claimed = co_await services_.stores.idempotency_keys.claim(request.org, std::move(claim));
  if (!claimed && claimed.error().code == Errc::conflict) {
    co_return http::to_response({422, "idempotency_key", "This Idempotency-Key was used for another request.", {}});
  }
  if (!claimed) co_return std::unexpected(std::move(claimed).error());
  if (std::holds_alternative<store::InProgress>(*claimed)) {
    co_return http::to_response(
        {409, "in_progress", "The first call with this Idempotency-Key is still under way.", {}});
  }
  const auto* stored = std::get_if<store::StoredResponse>(&*claimed);
  if (stored == nullptr) co_return std::monostate();
  SP_CO_TRY(const auto body, co_await services_.envelope.open(identity_of(request), stored->sealed_body));
  SP_CO_TRY(auto response, restored(stored->status, body.reveal()));
  co_return response;
}

asio::awaitable<Result<void>> Idempotency::complete(KeyedRequest request, http::Response response) {
  const auto text = kept(response);
  SP_CO_TRY(auto sealed, co_await services_.envelope.seal(identity_of(request), as_bytes(text)));
  co_return co_await services_.stores.idempotency_keys.complete(request.org, request.key,
                                                                {response.status, std::move(sealed)});
}

asio::awaitable<Result<void>> Idempotency::abandon(KeyedRequest request) {
  return services_.stores.idempotency_keys.abandon(std::move(request.org), std::move(request.key));
}

asio::awaitable<void> sweep_expired_keys(store::IdempotencyKeys& keys, const Clock& clock, const Log& log) {
  for (;;) {
    const auto removed = co_await keys.remove_expired(clock.wall(), kKeysPerSweep);
    if (!removed) log.error("idempotency.sweep_failed", {{"reason", removed.error().message}});
    if (removed == kKeysPerSweep) continue;
    co_await sleep_for(kSweepEvery);
  }
}

}  // namespace sallyport::api
