#include "shared/async/task_group.h"
#include "shared/crypto/random.h"
#include "tests/contract/keys/place.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const std::string kPurpose = "tenant/org_01hzx/1";

boost::asio::awaitable<Bytes> wrapped_by(keys::Provider& provider, const Secret& key) {
  auto wrapped = co_await provider.wrap(kPurpose, key.duplicate());
  co_return must(std::move(wrapped));
}

boost::asio::awaitable<Errc> unwrap_error(keys::Provider& provider, std::string purpose, Bytes wrapped) {
  auto key = co_await provider.unwrap(std::move(purpose), std::move(wrapped));
  if (key) throw std::runtime_error("it unwraps");
  co_return key.error().code;
}

boost::asio::awaitable<void> keep(keys::Provider& provider, int number, int& right) {
  const Secret key = crypto::random_secret(32);
  const auto purpose = "tenant/" + std::to_string(number);
  auto wrapped = co_await provider.wrap(purpose, key.duplicate());
  if (!wrapped) co_return;
  auto back = co_await provider.unwrap(purpose, *std::move(wrapped));
  if (back && back->reveal() == key.reveal()) ++right;
}

void no_fault(const std::string& task, const std::string& why) { FAIL(task << ": " << why); }

}  // namespace

ASYNC_TEST_CASE("a key comes back as it was, wrapped anew each time", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  for (const std::size_t size : {1, 32, 256}) {
    const Secret key = crypto::random_secret(size);
    const auto wrapped = co_await wrapped_by(*provider, key);
    const auto again = co_await wrapped_by(*provider, key);
    CHECK(wrapped != again);
    CHECK((size == 1 || as_text(wrapped).find(key.reveal()) == std::string_view::npos));
    for (const auto& one : {wrapped, again}) {
      auto back = co_await provider->unwrap(kPurpose, one);
      REQUIRE(back);
      CHECK(back->reveal() == key.reveal());
    }
  }
  auto later = place->main();  // another one, as after a restart
  const Secret key = crypto::random_secret(32);
  auto back = co_await later->unwrap(kPurpose, co_await wrapped_by(*provider, key));
  REQUIRE(back);
  CHECK(back->reveal() == key.reveal());
}

ASYNC_TEST_CASE("what was wrapped for one purpose unwraps for no other", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  for (const char* other :
       {"tenant/org_01hzx/2", "tenant/org_01hzx", "tenant/org_01hzx/11", "TENANT/org_01hzx/1", " "}) {
    INFO(other);
    const auto code = co_await unwrap_error(*provider, other, wrapped);
    CHECK(code == Errc::invalid);
  }
}

ASYNC_TEST_CASE("another key unwraps nothing", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto other = place->provider("other", 10s);
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  const auto code = co_await unwrap_error(*other, kPurpose, wrapped);
  CHECK(code == Errc::invalid);
  const auto control = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(control);
}

ASYNC_TEST_CASE("a wrapped key with any bit changed, cut or longer is refused", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  for (std::size_t bit = 0; bit < wrapped.size() * 8; ++bit) {
    INFO("bit " << bit);
    Bytes changed = wrapped;
    changed[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto code = co_await unwrap_error(*provider, kPurpose, changed);
    CHECK(code == Errc::invalid);
  }
  for (std::size_t size = 1; size < wrapped.size(); ++size) {
    INFO("cut to " << size);
    Bytes cut = wrapped;
    cut.resize(size);
    const auto code = co_await unwrap_error(*provider, kPurpose, cut);
    CHECK(code == Errc::invalid);
  }
  Bytes longer = wrapped;
  longer.push_back(std::byte{0});
  const auto code = co_await unwrap_error(*provider, kPurpose, longer);
  CHECK(code == Errc::invalid);
  const auto control = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(control);
}

ASYNC_TEST_CASE("a key that is revoked serves nobody until it is restored", "[keys][contract][key_revoked]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  place->revoke();
  const auto code = co_await unwrap_error(*provider, kPurpose, wrapped);
  CHECK(code == Errc::forbidden);
  auto refused = co_await provider->wrap(kPurpose, crypto::random_secret(32));
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::forbidden);
  place->restore();
  const auto back = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(back);
}

ASYNC_TEST_CASE("a slow place is waited for until the deadline, and used again later", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->provider("main", 1s);
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  place->slow();
  const auto began = std::chrono::steady_clock::now();
  const auto code = co_await unwrap_error(*provider, kPurpose, wrapped);
  CHECK(code == Errc::timed_out);
  CHECK(std::chrono::steady_clock::now() - began < 60s);  // the place would need 600 s
  place->heal();
  auto back = co_await provider->unwrap(kPurpose, wrapped);
  const auto patience = std::chrono::steady_clock::now() + 60s;
  while (!back && std::chrono::steady_clock::now() < patience) back = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(back);
}

ASYNC_TEST_CASE("a place that is away is unavailable, and used again when it is back", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  place->stop();
  const auto code = co_await unwrap_error(*provider, kPurpose, wrapped);
  CHECK(code == Errc::unavailable);
  auto refused = co_await provider->wrap(kPurpose, crypto::random_secret(32));
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::unavailable);
  place->heal();
  const auto back = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(back);
}

ASYNC_TEST_CASE("nonsense is an error, and what comes after it is heard", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  const auto wrapped = co_await wrapped_by(*provider, crypto::random_secret(32));
  place->garble();
  const auto code = co_await unwrap_error(*provider, kPurpose, wrapped);
  CHECK(code == Errc::unavailable);
  place->heal();
  const auto back = co_await provider->unwrap(kPurpose, wrapped);
  CHECK(back);
}

ASYNC_TEST_CASE("calls may overlap", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  TaskGroup group(co_await boost::asio::this_coro::executor, no_fault);
  int right = 0;
  for (int i = 0; i < 20; ++i) group.spawn("call", keep(*provider, i, right));
  co_await group.join();
  CHECK(right == 20);
}

ASYNC_TEST_CASE("no message holds a credential, a key or what was wrapped", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->provider("main", 1s);
  const Secret key = Secret::take("canary-of-thirty-two-bytes-or-so");
  const auto wrapped = co_await wrapped_by(*provider, key);
  std::vector<std::string> said{provider->describe()};
  const auto ask = [&]() -> boost::asio::awaitable<void> {
    auto back = co_await provider->unwrap("another purpose", wrapped);
    if (!back) said.push_back(back.error().message);
    auto again = co_await provider->wrap(kPurpose, key.duplicate());
    if (!again) said.push_back(again.error().message);
  };
  co_await ask();
  place->revoke();
  co_await ask();
  place->restore();
  place->garble();
  co_await ask();
  place->heal();
  place->stop();
  co_await ask();
  place->heal();
  place->slow();
  co_await ask();
  place->heal();
  CHECK(said.size() >= 9);
  auto secrets = place->credentials();
  secrets.emplace_back(key.reveal());
  secrets.push_back(base64(as_bytes(key.reveal())));
  secrets.push_back(base64(wrapped).substr(0, 24));
  for (const auto& message : said) {
    INFO(message);
    CHECK(message.size() < 600);
    CHECK(!message.empty());
    for (const auto& secret : secrets) CHECK(message.find(secret) == std::string::npos);
  }
}

ASYNC_TEST_CASE("what no provider may be given is refused before anyone is asked", "[keys][contract]") {
  const auto place = any_place();
  const auto provider = place->main();
  place->stop();
  for (const auto& purpose : {std::string(), std::string(201, 'p'), std::string("a\nb"), std::string("\xc3\xa4")}) {
    auto refused = co_await provider->wrap(purpose, crypto::random_secret(32));
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
  }
  for (const std::size_t size : {std::size_t{0}, keys::kMaxWrapped + 1}) {
    auto refused = co_await provider->wrap(kPurpose, crypto::random_secret(size));
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
  }
  for (const std::size_t size : {0, 6145}) {
    const auto code = co_await unwrap_error(*provider, kPurpose, Bytes(size));
    CHECK(code == Errc::invalid);
  }
}
