#include "agent/app/link_visit.h"
#include "agent/doctor/host.h"
#include "agent/doctor/network.h"
#include "agent/doctor/second_way.h"
#include "tests/link/agent/tinyproxy.h"
#include "tests/link/doctor/bad_line.h"
#include "tests/link/relay/gateway_rig.h"
#include "tests/support/free_port.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using findings::Verdict;

namespace {

std::optional<std::string> no_environment(const std::string&) { return std::nullopt; }

// A relay, one of its agents, and a journey from this machine to the relay or to what stands in its place.
struct Scene {
  explicit Scene(const asio::any_io_executor& loop) : rig(loop) {}
  asio::awaitable<void> start() {
    co_await rig.start();
    identity_ = std::make_unique<agent::Identity>(co_await rig.enrolled());
  }
  const agent::Identity& identity() const { return *identity_; }
  asio::awaitable<doctor::NetworkReport> examine(std::uint16_t port, std::string host = "127.0.0.1",
                                                 std::string proxy = "none") {
    return doctor::examine_network({.relay = {std::move(host), port},
                                    .proxy = std::move(proxy),
                                    .environment = no_environment,
                                    .root_pin = pin.value_or(identity().root.key_pin()),
                                    .host_name = "erp1",
                                    .patience = 2s,
                                    .silence = 300ms},
                                   rig.world.clock);
  }
  GatewayRig rig;
  std::optional<crypto::Digest> pin;  // another than the relay's

 private:
  std::unique_ptr<agent::Identity> identity_;
};

// "good proxy dns route ..., bad tls": what was found, shortly.
std::string summary(const doctor::NetworkReport& report) {
  std::string words;
  for (const auto& finding : report.findings)
    words += (words.empty() ? "" : " ") + finding.check + "=" + std::string(to_string(finding.verdict));
  return words;
}

const findings::Finding& finding(const doctor::NetworkReport& report, std::string_view check) {
  const auto found = std::ranges::find(report.findings, check, &findings::Finding::check);
  if (found == report.findings.end()) throw std::runtime_error("no finding on " + std::string(check));
  return *found;
}

bool has(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

constexpr std::string_view kAllGood = "proxy=good dns=good route=good tls=good silence=good size=good";

}  // namespace

ASYNC_TEST_CASE("a way to the relay without a fault is good at every step, directly and through a proxy", "[doctor]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.start();
  const auto port = scene.rig.gateway.port();
  const auto direct = co_await scene.examine(port);
  CHECK(summary(direct) == kAllGood);
  CHECK(direct.request.empty());
  CHECK(has(finding(direct, "tls").text, "TLSv1.3"));
  const Tinyproxy proxy(port);
  const auto proxied = co_await scene.examine(port, "127.0.0.1", proxy.url());
  CHECK(summary(proxied) == kAllGood);
  CHECK(has(finding(proxied, "proxy").text, "with a login"));
  CHECK_FALSE(has(findings::report_text({proxied.findings, proxied.request}), "open-sesame"));
  co_await scene.rig.finish();
}

ASYNC_TEST_CASE("each fault of the way is named, with what to ask for", "[doctor]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.start();
  const auto port = scene.rig.gateway.port();

  const auto nameless = co_await scene.examine(port, "no-such-host.invalid");
  CHECK(summary(nameless) == "proxy=good dns=bad route=skipped tls=skipped silence=skipped size=skipped");
  CHECK(has(nameless.request, "from erp1 to no-such-host.invalid, port "));

  const auto closed = co_await scene.examine(free_port());
  CHECK(summary(closed) == "proxy=good dns=good route=bad tls=skipped silence=skipped size=skipped");
  CHECK(has(closed.request, "erp1 (127.0.0.1) to 127.0.0.1, port "));

  const Tinyproxy proxy(port);
  const auto stranger = co_await scene.examine(port, "127.0.0.1", proxy.url("operator:wrong@"));
  CHECK(finding(stranger, "tls").verdict == Verdict::skipped);
  CHECK(std::ranges::any_of(stranger.findings,
                            [](const auto& f) { return f.check == "proxy" && f.verdict == Verdict::bad; }));
  CHECK(has(stranger.request, "by CONNECT through the proxy 127.0.0.1:"));
  const auto forbidden = co_await scene.examine(free_port(), "127.0.0.1", proxy.url());
  CHECK(
      std::ranges::any_of(forbidden.findings, [](const auto& f) { return f.check == "proxy" && has(f.text, "403"); }));
  const auto misspelt = co_await scene.examine(port, "127.0.0.1", "https://proxy.example");
  CHECK(summary(misspelt) == "proxy=bad dns=skipped route=skipped tls=skipped silence=skipped size=skipped");
  co_await scene.rig.finish();
}

ASYNC_TEST_CASE("whoever inspects TLS on the way is named by the CA it shows", "[doctor]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.start();
  scene.pin = crypto::sha256(std::string_view("another deployment's root"));
  const auto inspected = co_await scene.examine(scene.rig.gateway.port());
  CHECK(summary(inspected) == "proxy=good dns=good route=good tls=bad silence=skipped size=skipped");
  CHECK(has(finding(inspected, "tls").text, "issued by \"" + scene.identity().root.subject() + "\""));
  CHECK(has(inspected.request, "without TLS inspection"));
  co_await scene.rig.finish();
}

ASYNC_TEST_CASE("a line that breaks handshakes, cuts silence or drops large packets is told apart", "[doctor]") {
  const auto loop = co_await asio::this_coro::executor;
  Scene scene(loop);
  co_await scene.start();
  const auto port = scene.rig.gateway.port();
  struct Row {
    BadLine::Faults faults;
    std::string_view found;
  };
  const std::vector<Row> rows = {
      {{}, kAllGood},
      {{.hang_up = true}, "proxy=good dns=good route=good tls=bad silence=skipped size=skipped"},
      {{.cut_after = 100ms}, "proxy=good dns=good route=good tls=good silence=bad size=good"},
      {{.swallow_from = 2'000}, "proxy=good dns=good route=good tls=good silence=skipped size=bad"},
  };
  for (const auto& row : rows) {
    BadLine line(loop, port, row.faults);
    const auto report = co_await scene.examine(line.port());
    CHECK(summary(report) == row.found);
    CHECK(report.request.empty() == (row.found == kAllGood));
    co_await line.finish();
  }
  co_await scene.rig.finish();
}

ASYNC_TEST_CASE("a visit says whether the relay takes this agent, and leaves nothing behind", "[doctor]") {
  const auto loop = co_await asio::this_coro::executor;
  Scene scene(loop);
  co_await scene.start();
  const agent::Dialer dialer(loop, "none", no_environment);
  KeptIdentity identities;
  must(identities.install(scene.identity()));
  agent::TlsTransport transport(dialer, identities, scene.rig.world.clock);
  const auto visit = [&](std::chrono::milliseconds limit) {
    return app::visit_relay(transport, scene.rig.endpoint(), R"({"connections":[]})", scene.rig.world.clock,
                            std::chrono::steady_clock::now() + limit);
  };
  const auto taken = co_await visit(15s);
  REQUIRE(taken);
  CHECK(has(taken->relay_software, "sallyport-relay/"));
  CHECK(std::chrono::abs(taken->clock_ahead) < 5s);
  const bool gone = co_await scene.rig.until(
      [&] { return !scene.rig.links.link_of(scene.rig.tenant.org, scene.identity().id.agent); });
  CHECK(gone);
  const auto again = co_await visit(15s);
  CHECK(again);
  must(co_await scene.rig.world.revocations.revoke_agent(scene.rig.tenant.org, scene.identity().id.agent));
  const auto refused = co_await visit(15s);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().message, "revoked"));
  co_await scene.rig.finish();
}

TEST_CASE("a certificate is judged by this machine's clock, and the clock by the relay's", "[doctor]") {
  MovableClock clock;
  const Pki pki(clock);
  const auto certificate = pki.agent().chain.front();
  const auto verdict = [&] { return doctor::examine_certificate(certificate, clock).verdict; };
  CHECK(verdict() == Verdict::good);
  clock.advance(std::chrono::hours(24 * 24));
  CHECK(verdict() == Verdict::good);
  clock.advance(std::chrono::hours(24 * 2));
  CHECK(verdict() == Verdict::note);
  clock.advance(std::chrono::hours(24 * 5));
  CHECK(verdict() == Verdict::bad);
  CHECK(has(doctor::examine_certificate(certificate, clock).advice, "sallyport agent reenrol"));
  clock.advance(std::chrono::hours(-24 * 60));
  CHECK(verdict() == Verdict::bad);
  CHECK(has(doctor::examine_certificate(certificate, clock).advice, "clock"));

  CHECK(doctor::examine_clock(4s).verdict == Verdict::good);
  CHECK(doctor::examine_clock(-30s).verdict == Verdict::note);
  CHECK(doctor::examine_clock(-61s).verdict == Verdict::bad);
  CHECK(has(doctor::examine_clock(-61s).text, "61.0 s behind"));
}

TEST_CASE("a state directory is looked at and not made", "[doctor]") {
  const TempDir dir;
  const auto missing = dir.path("state");
  CHECK(doctor::examine_state(missing).verdict == Verdict::bad);
  CHECK_FALSE(std::filesystem::exists(missing));
  std::filesystem::create_directory(missing);
  std::filesystem::permissions(missing, std::filesystem::perms::owner_all);
  CHECK(doctor::examine_state(missing).verdict != Verdict::bad);
  std::filesystem::permissions(missing, std::filesystem::perms::all);
  CHECK(doctor::examine_state(missing).verdict == Verdict::bad);
}

TEST_CASE("of two ways that an agent may take one is enough", "[doctor]") {
  const findings::Finding fine{"tls", Verdict::good, "met"}, blocked{"route", Verdict::bad, "no", "ask"};
  doctor::NetworkReport direct{{blocked, fine}, "Please allow"};
  findings::Finding second{"websocket", Verdict::good, "met"};
  weigh_ways(direct, second);
  CHECK(direct.findings[0].verdict == Verdict::note);
  CHECK(direct.findings[1].verdict == Verdict::good);
  CHECK(direct.request.empty());

  direct = {{fine}, ""};
  second.verdict = Verdict::bad;
  weigh_ways(direct, second);
  CHECK(second.verdict == Verdict::note);

  direct = {{blocked}, "Please allow"};
  second.verdict = Verdict::bad;
  weigh_ways(direct, second);
  CHECK(direct.findings[0].verdict == Verdict::bad);
  CHECK(second.verdict == Verdict::bad);
  CHECK(direct.request == "Please allow");
}
