#include "relay/keys/discreet_provider.h"

#include "tests/unit/relay/keys/world.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

namespace {

// Fails with words that nobody but the operator may read.
class Talkative final : public Provider {
 public:
  awaitable<Result<Bytes>> wrap(std::string, Secret key) override {
    if (broken) co_return fail(*broken, "https://canary.internal:8200: /etc/canary.pem");
    co_return Bytes(as_bytes(key.reveal()).begin(), as_bytes(key.reveal()).end());
  }
  awaitable<Result<Secret>> unwrap(std::string, Bytes wrapped) override {
    if (broken) co_return fail(*broken, "https://canary.internal:8200: /etc/canary.pem");
    co_return Secret::take(std::string(as_text(wrapped)));
  }
  std::string describe() const override { return "talkative"; }
  std::optional<Errc> broken;
};

std::size_t times(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

}  // namespace

ASYNC_TEST_CASE("the log is told once what is wrong with the master key, who asked is not", "[keys][discreet]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto real = std::make_shared<Talkative>();
  DiscreetProvider discreet(real, world.log);
  const auto wrapped = must(co_await discreet.wrap("p", Secret::take("key")));
  real->broken = Errc::invalid;
  const auto at_start = co_await discreet.unwrap("p", wrapped);  // for who starts the relay
  CHECK(at_start.error().code == Errc::invalid);
  CHECK(at_start.error().message.find("canary.internal") != std::string::npos);
  discreet.begin_to_serve();
  for (const auto code : {Errc::unavailable, Errc::timed_out, Errc::forbidden, Errc::not_found, Errc::invalid}) {
    real->broken = code;
    const auto key = co_await discreet.unwrap("p", wrapped);
    const auto other = co_await discreet.wrap("p", Secret::take("key"));
    for (const auto& error : {key.error(), other.error()}) {
      CHECK(error.code == code);
      CHECK(error.message.find("canary") == std::string::npos);
      CHECK(error.message.find("log") != std::string::npos);
    }
  }
  CHECK(times(world.lines, "master_key.failed") == 1);
  CHECK(times(world.lines, "https://canary.internal:8200") == 1);
  CHECK(times(world.lines, "master_key.works") == 0);
  real->broken.reset();
  const auto back = must(co_await discreet.unwrap("p", wrapped));
  CHECK(back.reveal() == "key");
  must(co_await discreet.wrap("p", Secret::take("key")));
  CHECK(times(world.lines, "master_key.works") == 1);
  CHECK(discreet.describe() == "talkative");
}

ASYNC_TEST_CASE("an organisation reads nothing of where the master key is kept, wherever it is needed",
                "[keys][discreet]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto real = std::make_shared<Talkative>();
  DiscreetProvider discreet(real, world.log);
  Hierarchy keys(co_await asio::this_coro::executor,
                 {world.ring.store->keys(), discreet, world.ring.anchor, *world.ring.memory, world.clock});
  discreet.begin_to_serve();
  for (const auto code : {Errc::forbidden, Errc::invalid}) {
    real->broken = code;
    const auto global = co_await keys.global();
    const auto tenant = co_await keys.tenant(org);
    const auto hour = co_await keys.hour_for_writing(org, {"payload", 24}, store::hour_of(world.clock.wall()));
    const auto rotated = co_await keys.rotate_tenant(org);
    for (const auto& error : {global.error(), tenant.error(), hour.error(), rotated.error()}) {
      INFO(error.message);
      CHECK(error.code == Errc::unavailable);
      CHECK(error.message.find("canary") == std::string::npos);
      CHECK(error.message.find("talkative") == std::string::npos);
    }
  }
}
