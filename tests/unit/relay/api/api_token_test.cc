#include "relay/api/api_token.h"

#include "relay/api/problems.h"
#include "shared/crypto/new_id.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::api;

namespace {

const SystemClock kClock;

store::ApiToken stored(const ApiTokenId& id, Bytes hash) { return {.id = id, .secret_hash = std::move(hash)}; }

}  // namespace

TEST_CASE("a token has a shape that scanners find, and opens only its own row", "[api][token]") {
  const auto id = crypto::new_id<ApiTokenId>(kClock);
  const auto made = make_token_secret(id);
  const std::string text(made.text.reveal());
  CHECK(text.size() == 74);
  CHECK(text.starts_with("spt_" + id.value.substr(4) + "_"));
  const auto presented = parse_token(text);
  REQUIRE(presented);
  CHECK(presented->id == id);
  CHECK(presented->hash == made.hash);
  CHECK(made.hash.size() == 32);

  const auto now = kClock.wall();
  CHECK(is_good(stored(id, made.hash), presented->hash, now));
  CHECK_FALSE(is_good(stored(id, make_token_secret(id).hash), presented->hash, now));
  CHECK_FALSE(is_good(stored(id, {}), presented->hash, now));
}

TEST_CASE("expiry and revocation end a token", "[api][token]") {
  const auto now = kClock.wall();
  auto token = stored(ApiTokenId("tok_x"), Bytes(32));
  token.expires_at = now;
  CHECK_FALSE(is_good(token, Bytes(32), now));
  token.expires_at = now + std::chrono::milliseconds(1);
  CHECK(is_good(token, Bytes(32), now));
  token.revoked_at = now;
  CHECK_FALSE(is_good(token, Bytes(32), now));
}

TEST_CASE("anything that is not exactly a token is none", "[api][token]") {
  const std::string good(make_token_secret(crypto::new_id<ApiTokenId>(kClock)).text.reveal());
  REQUIRE(parse_token(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK_FALSE(parse_token(good.substr(0, cut)));
  CHECK_FALSE(parse_token(good + "A"));
  CHECK_FALSE(parse_token(" " + good.substr(1)));
  auto spoiled = [&](std::size_t at, char c) {
    auto text = good;
    text[at] = c;
    return parse_token(text).has_value();
  };
  CHECK_FALSE(spoiled(0, 'S'));
  CHECK_FALSE(spoiled(10, 'i'));  // not Crockford base 32
  CHECK_FALSE(spoiled(30, '-'));
  CHECK_FALSE(spoiled(40, '+'));
  CHECK_FALSE(spoiled(73, '_'));  // stray bits in the last character
}

TEST_CASE("secrets do not repeat", "[api][token]") {
  std::set<std::string> seen;
  const auto id = crypto::new_id<ApiTokenId>(kClock);
  for (int i = 0; i < 100; ++i) CHECK(seen.insert(std::string(make_token_secret(id).text.reveal())).second);
}

TEST_CASE("every error of ours has one answer", "[api][problems]") {
  const std::pair<Errc, int> table[] = {{Errc::cancelled, 503},       {Errc::timed_out, 504}, {Errc::unavailable, 503},
                                        {Errc::unauthenticated, 401}, {Errc::forbidden, 403}, {Errc::not_found, 404},
                                        {Errc::conflict, 409},        {Errc::invalid, 422},   {Errc::too_large, 413},
                                        {Errc::exhausted, 429},       {Errc::internal, 500}};
  for (const auto& [code, status] : table) {
    const auto problem = to_problem({code, "the message"});
    CHECK(problem.status == status);
    CHECK(problem.code == to_string(code));
    CHECK_FALSE(to_problem({code, ""}).detail.empty());
  }
}

TEST_CASE("errors that somebody can do something about show their message, the others do not", "[api][problems]") {
  for (const auto code :
       {Errc::conflict, Errc::invalid, Errc::forbidden, Errc::too_large, Errc::exhausted, Errc::unavailable}) {
    CHECK(to_problem({code, "the message"}).detail == "the message");
  }
  for (const auto code : {Errc::internal, Errc::cancelled, Errc::not_found, Errc::timed_out, Errc::unauthenticated}) {
    CHECK(to_problem({code, "the message"}).detail.find("the message") == std::string::npos);
  }
}
