// Authorizations on the relay's side, over a real pair of sessions, with an agent that follows a script.
#include "relay/authorizations/authorizations.h"

#include "proto/sallyport/v1/authorizations.pb.h"
#include "shared/link/message_bytes.h"
#include "tests/support/pki.h"
#include "tests/unit/shared/link/link_fixture.h"

#include <string>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::authorizations;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr std::string_view kPurpose = "authorization/1";
const OrgId kOrg("org_1");
const OrgId kOther("org_2");
const AgentId kAgent("agt_1");

std::string state_of(int number) { return std::string(31, 's') + std::to_string(number); }

// Begins with an address and a state that count up, and ends as `ends` says.
struct ScriptedAgent {
  v1::AuthorizationBegun begin() {
    v1::AuthorizationBegun begun;
    begun.set_error(refuses);
    begun.set_url(url);
    begun.set_state(state.empty() ? state_of(++count) : state);
    return begun;
  }
  asio::awaitable<void> converse(link::Channel channel) {
    const auto order = co_await channel.receive_message();
    if (!order || !*order) co_return;
    v1::AuthorizationOrder asked;
    REQUIRE(link::parse(asked, **order));
    connections.push_back(asked.connection());
    const auto begun = garbage ? std::string("\xff\xff") : begin().SerializeAsString();
    const auto sent = co_await channel.send_message(begun);
    CHECK(sent);
    const auto came = co_await channel.receive_message();
    if (!came || !*came) co_return;
    REQUIRE(link::parse(answer, **came));
    if (hangs_up) co_return;
    v1::AuthorizationDone done;
    done.set_error(ends);
    const auto told = co_await channel.send_message(done.SerializeAsString());
    CHECK(told);
    (void)channel.finish();
  }
  asio::awaitable<void> work(link::Session& session) {
    for (;;) {
      auto incoming = co_await session.accept_channel();
      if (!incoming) co_return;
      session.spawn("authorization", converse(std::move(incoming->channel)));
    }
  }

  std::string refuses, ends, state;
  std::string url = "https://login.example.com/authorize";
  bool garbage = false, hangs_up = false;
  int count = 0;
  std::vector<std::string> connections;
  v1::AuthorizationAnswer answer;
};

struct Bench final : AgentLines {
  explicit Bench(asio::any_io_executor executor, Limits limits = {}) : pair(executor), desk(*this, clock, limits) {
    pair.agent_options.serves.emplace_back(kPurpose);
    pair.agent.owner.work = [this](link::Session& session) { return agent.work(session); };
  }
  asio::awaitable<void> ready() {
    pair.start();
    const bool proven = co_await pair.until([&] { return pair.relay.session->proven(); });
    REQUIRE(proven);
  }
  asio::awaitable<void> end() {
    pair.relay.session->stop("the test is over");
    co_await pair.join();
  }
  Result<link::Channel> open_for_authorization(const OrgId&, const AgentId&) override {
    if (!linked) return fail(Errc::unavailable, "not linked");
    return pair.relay.session->open_channel(kPurpose);
  }
  asio::awaitable<Result<Facts>> begin(OrgId org = kOrg) {
    co_return co_await desk.begin({std::move(org), "token:tok_1", kAgent, "erp-api"});
  }

  LinkPair pair;
  MovableClock clock;
  ScriptedAgent agent;
  bool linked = true;
  Authorizations desk;
};

Answer answer_to(const std::string& state) { return {state, "the-code", "https://login.example.com", ""}; }

}  // namespace

ASYNC_TEST_CASE("a state is taken once, and what came with it goes to the agent that made it", "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.ready();
  const auto begun = co_await bench.begin();
  REQUIRE(begun);
  CHECK(begun->url == bench.agent.url);
  CHECK(bench.agent.connections == std::vector<std::string>{"erp-api"});
  const auto waiting = bench.desk.find(kOrg, begun->id);
  REQUIRE(waiting);
  CHECK(waiting->state == State::waiting);
  CHECK(waiting->url.empty());
  CHECK_FALSE(bench.desk.find(kOther, begun->id));
  for (const auto& wrong : {std::string(), state_of(7), state_of(1).substr(1)}) {
    const auto taken = co_await bench.desk.take(answer_to(wrong));
    CHECK_FALSE(taken);
  }
  const auto taken = co_await bench.desk.take(answer_to(state_of(1)));
  REQUIRE(taken);
  CHECK(taken->state == State::authorized);
  CHECK(bench.agent.answer.code() == "the-code");
  CHECK(bench.agent.answer.issuer() == "https://login.example.com");
  const auto again = co_await bench.desk.take(answer_to(state_of(1)));
  CHECK_FALSE(again);
  CHECK(bench.desk.find(kOrg, begun->id)->state == State::authorized);
  co_await bench.end();
}

ASYNC_TEST_CASE("why an agent does not begin or does not end well is told", "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.ready();
  bench.agent.refuses = "no such\nconnection";
  const auto refused = co_await bench.begin();
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{Errc::conflict, "no such connection"});
  CHECK(bench.desk.size() == 0);
  bench.agent.refuses.clear();
  bench.agent.ends = "the code is old";
  const auto begun = co_await bench.begin();
  REQUIRE(begun);
  const auto failed = co_await bench.desk.take(answer_to(state_of(bench.agent.count)));
  REQUIRE(failed);
  CHECK(failed->state == State::failed);
  CHECK(failed->message == "the code is old");
  bench.agent.hangs_up = true;
  const auto other = co_await bench.begin();
  REQUIRE(other);
  const auto lost = co_await bench.desk.take(answer_to(state_of(bench.agent.count)));
  REQUIRE(lost);
  CHECK(lost->state == State::failed);
  bench.linked = false;
  const auto away = co_await bench.begin();
  CHECK(away.error().code == Errc::unavailable);
  co_await bench.end();
}

ASYNC_TEST_CASE("an agent that says nonsense begins nothing", "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.ready();
  const auto begin_fails = [&]() -> asio::awaitable<void> {
    const auto begun = co_await bench.begin();
    CHECK_FALSE(begun);
    CHECK(bench.desk.size() == 0);
  };
  for (const char* url : {"", "javascript:alert(1)", "https://a b", "ftp://login.example.com"}) {
    bench.agent.url = url;
    co_await begin_fails();
  }
  bench.agent.url = "https://login.example.com/" + std::string(8192, 'x');
  co_await begin_fails();
  bench.agent.url = "https://login.example.com/";
  for (const auto& state : {std::string("short"), std::string(129, 's'), std::string(40, '<')}) {
    bench.agent.state = state;
    co_await begin_fails();
  }
  bench.agent.state.clear();
  bench.agent.garbage = true;
  co_await begin_fails();
  co_await bench.end();
}

ASYNC_TEST_CASE("no agent gets the state of another's authorization", "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.ready();
  bench.agent.state = state_of(1);
  const auto first = co_await bench.begin();
  REQUIRE(first);
  const auto second = co_await bench.begin(kOther);
  CHECK_FALSE(second);
  const auto taken = co_await bench.desk.take(answer_to(state_of(1)));
  REQUIRE(taken);
  CHECK(taken->id == first->id);
  co_await bench.end();
}

ASYNC_TEST_CASE("authorizations are bounded for each organisation, and forgotten after ten minutes",
                "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor, {.of_organisation = 2, .all = 3});
  bench.clock.freeze();
  co_await bench.ready();
  for (int i = 0; i < 2; ++i) {
    const auto begun = co_await bench.begin();
    CHECK(begun);
  }
  const auto third = co_await bench.begin();
  CHECK(third.error().code == Errc::exhausted);
  const auto others = co_await bench.begin(kOther);
  CHECK(others);
  const auto fourth = co_await bench.begin(kOther);
  CHECK(fourth.error().code == Errc::exhausted);
  bench.clock.advance(10min);
  const auto late = co_await bench.desk.take(answer_to(state_of(1)));
  CHECK_FALSE(late);
  CHECK_FALSE(bench.desk.find(kOther, others->id));
  CHECK(bench.desk.size() == 0);
  co_await bench.end();
}

ASYNC_TEST_CASE("an authorization whose link is lost says so", "[authorizations]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.ready();
  const auto begun = co_await bench.begin();
  REQUIRE(begun);
  co_await bench.end();
  const auto lost = bench.desk.find(kOrg, begun->id);
  REQUIRE(lost);
  CHECK(lost->state == State::failed);
  CHECK(lost->message == "the link to the agent was lost meanwhile: begin again");
  const auto taken = co_await bench.desk.take(answer_to(state_of(1)));
  CHECK_FALSE(taken);
}
