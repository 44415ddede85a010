// The agent's own enrolment, from the string to the state directory, against a relay that misbehaves first.
#include "agent/app/identity_commands.h"
#include "tests/link/agent/test_relay.h"
#include "tests/support/poor_file_system.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// On a thread of its own, because the agent's enrolment has a loop of its own.
class RelayThread {
 public:
  explicit RelayThread(const Pki& pki, const Clock& clock)
      : relay_(loop_.get_executor(), pki, clock), thread_([this] { loop_.run(); }) {}
  ~RelayThread() {
    asio::co_spawn(loop_, relay_.finish(), asio::use_future).get();
    work_.reset();
    thread_.join();
  }
  template <class Change>
  auto on_loop(Change change) {
    return asio::post(loop_, std::packaged_task<std::invoke_result_t<Change, TestRelay&>()>(
                                 [this, change] { return change(relay_); }))
        .get();
  }

 private:
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  TestRelay relay_;
  std::thread thread_;
};

// A relay, and an agent's host that has a string for it.
struct Scene {
  Scene() {
    config.agent.state_dir = dir.path("state");
    config.agent.proxy.mode = policy::ProxyConfig::Mode::direct;
  }
  Result<std::string> enrol() const { return app::enrol_agent(config, text, clock); }
  Result<agent::Identity> identity() const { return agent::FileIdentityStore(dir.path("state") + "/identity").load(); }
  bool has_identity() const {
    return std::ranges::any_of(std::filesystem::directory_iterator(dir.path("state")), [](const auto& entry) {
      return entry.path().filename().string().find("identity") != std::string::npos;
    });
  }

  SystemClock clock;
  Pki pki{clock};
  RelayThread relay{pki, clock};
  TempDir dir;
  policy::Config config;
  std::string text = relay.on_loop([](TestRelay& there) { return there.enrolment_string(1h); });
};

}  // namespace

TEST_CASE("an enrolment that broke off leaves nothing behind and can be run again", "[link]") {
  Scene scene;
  const std::string header{0, 0, 0, 0, 1, 0, 4, 0};
  for (const auto& said : {header, header + std::string(500, 'x'), std::string("\0\0\0\0\1\0\0\3\xff\xff\xff", 11)}) {
    scene.relay.on_loop(
        [&](TestRelay& there) { there.enrol_garbage.assign(as_bytes(said).begin(), as_bytes(said).end()); });
    const auto outcome = scene.enrol();
    REQUIRE_FALSE(outcome);
    CAPTURE(outcome.error().message);
    CHECK(outcome.error().message.find("relay's answer") != std::string::npos);
    CHECK(outcome.error().message.find(scene.text.substr(5, 20)) == std::string::npos);
    CHECK_FALSE(scene.has_identity());
  }
  scene.relay.on_loop([](TestRelay& there) { there.enrol_garbage.clear(); });
  const auto outcome = scene.enrol();
  REQUIRE(outcome);
  CHECK(outcome->find("in group dc1") != std::string::npos);
  CHECK(scene.has_identity());
}

TEST_CASE("an agent that is there gets a new certificate and stays who it is, whatever it is given", "[link]") {
  Scene scene;
  REQUIRE(scene.enrol());
  const auto first = must(scene.identity());

  auto outcome = scene.enrol();  // an older relay makes another agent
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::conflict);
  CHECK(outcome.error().message.find("revoke that one") != std::string::npos);
  CHECK(must(scene.identity()).chain == first.chain);
  scene.relay.on_loop([](TestRelay& there) { there.enrol_error = "agent"; });
  outcome = scene.enrol();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message.find("sallyport agent reenrol " + first.id.agent.value) != std::string::npos);
  CHECK(outcome.error().message.find("remove " + scene.dir.path("state")) != std::string::npos);
  CHECK(must(scene.identity()).chain == first.chain);

  scene.relay.on_loop([](TestRelay& there) { there.enrol_error.clear(), there.reads_who_asks = true; });
  outcome = scene.enrol();
  REQUIRE(outcome);
  CHECK(outcome->find("a new one") != std::string::npos);
  const auto second = must(scene.identity());
  CHECK(second.id == first.id);
  CHECK(second.key.public_key_der() != first.key.public_key_der());
}

TEST_CASE("an enrolment of an agent that is there, and may have cost it its old certificate, says so", "[link]") {
  Scene scene;
  scene.relay.on_loop([](TestRelay& there) { there.reads_who_asks = true; });
  REQUIRE(scene.enrol());
  const auto first = must(scene.identity());

  const std::string half{0, 0, 0, 0, 1, 0, 4, 0}, wrong("\0\0\0\0\1\0\0\3\xff\xff\xff", 11);
  for (const auto& said : {half, wrong}) {
    scene.relay.on_loop(
        [&](TestRelay& there) { there.enrol_garbage.assign(as_bytes(said).begin(), as_bytes(said).end()); });
    const auto lost = scene.enrol();
    REQUIRE_FALSE(lost);
    CHECK_THAT(lost.error().message,
               Catch::Contains("ended the old one") && Catch::Contains("sallyport agent reenrol"));
  }
  scene.relay.on_loop([](TestRelay& there) { there.enrol_garbage.clear(); });
  const auto unkept = on(PoorFileSystem{.rename = EROFS}, [&] { return scene.enrol(); });
  REQUIRE_FALSE(unkept);
  CHECK_THAT(unkept.error().message,
             Catch::Contains("ended the old one") && Catch::Contains("sallyport agent reenrol"));
  CHECK(must(scene.identity()).chain == first.chain);

  scene.relay.on_loop([](TestRelay& there) { there.enrol_error = "used"; });
  const auto refused = scene.enrol();
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, !Catch::Contains("ended the old one"));
}

TEST_CASE("a first enrolment whose files cannot be kept says what the relay is left with", "[link]") {
  Scene scene;
  const auto unkept = on(PoorFileSystem{.rename = EROFS}, [&] { return scene.enrol(); });
  REQUIRE_FALSE(unkept);
  CHECK_THAT(unkept.error().message, Catch::Contains("used up") && Catch::Contains("sallyport agent revoke agt_") &&
                                         Catch::Contains("new string"));
  CHECK_FALSE(scene.has_identity());
}

TEST_CASE("who enrols where the relay's port is closed need not ask twice for the other way", "[link][ways]") {
  const SystemClock clock;
  const Pki pki(clock);
  std::optional<RelayThread> relay(std::in_place, pki, clock);
  const TempDir dir;
  policy::Config config;
  config.agent.state_dir = dir.path("state");
  config.agent.proxy.mode = policy::ProxyConfig::Mode::direct;
  const auto text = relay->on_loop([](TestRelay& there) { return there.enrolment_string(1h); });
  relay.reset();
  const auto outcome = app::enrol_agent(config, text, clock);
  REQUIRE_FALSE(outcome);
  CHECK_THAT(outcome.error().message, Catch::Contains("direct way: ") && Catch::Contains("websocket way: "));
}

TEST_CASE("a damaged identity is not written over", "[link]") {
  const SystemClock clock;
  const TempDir dir;
  policy::Config config;
  config.agent.state_dir = dir.path("state");
  const auto made = app::enrol_agent(config, "spe1.x", clock);  // makes the state directory
  REQUIRE_FALSE(made);
  std::ofstream(dir.path("state") + "/identity") << "nothing";
  std::filesystem::permissions(dir.path("state") + "/identity", std::filesystem::perms(0600));
  const auto outcome = app::enrol_agent(config, "spe1.x", clock);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::conflict);
  CHECK(outcome.error().message.find("damaged") != std::string::npos);
  CHECK(outcome.error().message.find("remove " + dir.path("state")) != std::string::npos);
}
