#include "relay/identity/upkeep.h"
#include "relay/identity/root_rotation.h"
#include "shared/base/json.h"
#include "tests/unit/relay/identity/world.h"

#include <cstdlib>
#include <fstream>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using std::chrono::days;
using std::chrono::hours;

class TextSink final : public LogSink {
 public:
  void write(std::string_view line) override { text.append(line).append("\n"); }
  std::string text;
};

struct UpkeepWorld : IdentityWorld {
  explicit UpkeepWorld() : served(deployment.server.certificate) {}

  std::filesystem::path directory() const { return folder.path() / "ca"; }
  Result<void> serve(const identity::Deployment& with) {
    if (refuses) return fail(Errc::invalid, "planted");
    served = with.server.certificate;
    ++times;
    return {};
  }

  TextSink sink;
  Log log{sink, clock, LogLevel::debug};
  Metrics metrics;
  crypto::Certificate served;
  int times = 0;
  bool refuses = false;
  identity::Upkeep upkeep{deployment,
                          {directory(), stores.issuing_cas, authority, audit, log, metrics, clock,
                           [this](const identity::Deployment& with) { return serve(with); }}};
};

// The root key as somebody would carry it away and back.
class CarriedKey {
 public:
  explicit CarriedKey(const UpkeepWorld& world)
      : at_(world.directory() / "root.key"), away_(world.folder.path() / "usb-stick.key") {
    std::filesystem::rename(at_, away_);
  }
  void put_back() const { std::filesystem::rename(away_, at_); }

 private:
  std::filesystem::path at_, away_;
};

// The metric, or a figure that no test expects.
std::int64_t days_left(const UpkeepWorld& world, const std::string& of) {
  const auto text = world.metrics.prometheus();
  const auto name = "\nsallyport_" + of + "_days_left ";
  const auto at = text.find(name);
  return at == std::string::npos ? -9999 : std::stoll(text.substr(at + name.size()));
}

crypto::Certificate issuing_ca_of(const identity::Enrolled& enrolled) { return enrolled.chain.front(); }

}  // namespace

ASYNC_TEST_CASE("the server certificate is renewed in the last third of its life, and served", "[identity][upkeep]") {
  UpkeepWorld world;
  const auto first = world.served;
  world.clock.advance(days(59));
  auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  CHECK(world.times == 0);
  CHECK(std::abs(days_left(world, "server_certificate") - 31) <= 1);
  CHECK(days_left(world, "issuing_ca") == 1825);  // there is none yet: nothing is about to end

  world.clock.advance(days(2));
  next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  CHECK(world.times == 1);
  CHECK_FALSE(world.served == first);
  CHECK(world.served.not_after() > world.clock.wall() + days(89));
  CHECK(world.served.alt_names().size() == first.alt_names().size());
  CHECK(must(identity::load_deployment(world.directory())).server.certificate == world.served);
  CHECK(std::abs(days_left(world, "server_certificate") - 90) <= 1);
  const auto events = co_await world.audited(store::system_ledger());
  CHECK(mentions(events, {"server_certificate.renew", "system", world.served.serial()}));
  next = co_await world.upkeep.check();
  CHECK(world.times == 1);  // and stays as it is
}

ASYNC_TEST_CASE("with the root key offline the log and the metrics count the days, until it is put back",
                "[identity][upkeep]") {
  UpkeepWorld world;
  const CarriedKey key(world);
  world.clock.advance(days(80));
  auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  CHECK(world.times == 0);
  CHECK(world.sink.text.find("certificate.renewal_due") != std::string::npos);
  CHECK(world.sink.text.find("put root.key back") != std::string::npos);
  CHECK(std::abs(days_left(world, "server_certificate") - 10) <= 1);
  world.clock.advance(days(20));
  next = co_await world.upkeep.check();
  CHECK(std::abs(days_left(world, "server_certificate") + 10) <= 1);

  key.put_back();
  next = co_await world.upkeep.check();
  CHECK(world.times == 1);
  CHECK(world.served.not_after() > world.clock.wall());
  const CarriedKey away_again(world);
  co_await world.upkeep.check();
  CHECK_FALSE(world.deployment.root_key);
}

ASYNC_TEST_CASE("a certificate that cannot be served is tried again soon, not made again", "[identity][upkeep]") {
  UpkeepWorld world;
  world.refuses = true;
  world.clock.advance(days(70));
  auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepRetry);
  CHECK(world.sink.text.find("certificate.not_served") != std::string::npos);
  const auto made = must(identity::load_deployment(world.directory())).server.certificate;
  world.refuses = false;
  next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  CHECK(world.served == made);
}

ASYNC_TEST_CASE("a server certificate that somebody else put there is served", "[identity][upkeep]") {
  UpkeepWorld world;
  const auto other =
      must(identity::renew_server_certificate(world.directory(), world.deployment, {"new.test"}, world.clock));
  co_await world.upkeep.check();
  CHECK(world.served == other.certificate);
}

// What waits for a lock would never end here.
ASYNC_TEST_CASE("a command that holds the directory does not hold the relay's loop: it looks again in a second",
                "[identity][upkeep]") {
  UpkeepWorld world;
  const auto first = world.served;
  world.clock.advance(days(70));
  {
    const auto held = must(identity::DirectoryLock::take(world.directory(), identity::kNoPatience));
    const auto next = co_await world.upkeep.check();
    CHECK(next == identity::kUpkeepBusy);
    CHECK(world.served == first);
    CHECK(world.sink.text.find("deployment.unreadable") == std::string::npos);
    const auto command = identity::settle_deployment(world.directory(), 30ms);
    REQUIRE_FALSE(command);
    CHECK(command.error().code == Errc::timed_out);
    CHECK(command.error().message.find("another process changes") != std::string::npos);
  }
  const auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  CHECK_FALSE(world.served == first);
}

ASYNC_TEST_CASE("a damaged or replaced deployment directory stops nothing", "[identity][upkeep]") {
  UpkeepWorld world;
  const auto root = world.deployment.root;
  std::ofstream(world.directory() / "root.pem") << "not a certificate";
  const auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepRetry);
  CHECK(world.sink.text.find("deployment.unreadable") != std::string::npos);
  std::filesystem::remove_all(world.directory());
  must(identity::create_deployment(world.directory(), {"relay.test", {"relay.test"}}, world.clock));
  co_await world.upkeep.check();
  CHECK(world.deployment.root == root);
  CHECK(world.sink.text.find("it keeps its own: restart it") != std::string::npos);
  CHECK(world.times == 0);
}

ASYNC_TEST_CASE("an issuing CA is renewed in its last year, and agents of the old one stay welcome",
                "[identity][upkeep]") {
  UpkeepWorld world;
  const auto ours = co_await world.settle("ours");
  const auto theirs = co_await world.settle("theirs");
  const auto first = co_await world.enrol(ours, {});
  world.clock.advance(days(365));
  co_await world.enrol(theirs, {});
  world.clock.advance(days(4 * 365) - days(366));  // one day before the last year of ours
  co_await world.upkeep.check();
  const auto same = co_await world.enrol(ours, {});
  CHECK(issuing_ca_of(same) == issuing_ca_of(first));

  world.clock.advance(days(2));
  const auto next = co_await world.upkeep.check();
  CHECK(next == identity::kUpkeepInterval);
  const auto fresh = co_await world.enrol(ours, {});
  CHECK_FALSE(issuing_ca_of(fresh) == issuing_ca_of(first));
  CHECK(issuing_ca_of(fresh).organisation_name() == ours.org.value);
  CHECK(issuing_ca_of(fresh).not_after() > world.clock.wall() + days(1800));
  const auto events = co_await world.audited(ours.org);
  CHECK(mentions(events, {"issuing_ca.renew", "system", issuing_ca_of(first).serial()}));
  const auto others = co_await world.audited(theirs.org);
  CHECK_FALSE(mentions(others, {"issuing_ca.renew"}));
  CHECK(std::abs(days_left(world, "issuing_ca") - 729) <= 1);  // theirs

  // What the old CA signed before passes the handshake's check of the chain, and the admission.
  const auto peer = world.peer_of(same);
  const auto admitted = co_await world.admissions.admit(peer);
  CHECK(admitted);
}

ASYNC_TEST_CASE("what was made by a clock that was ahead is made anew when the clock is right", "[identity][upkeep]") {
  UpkeepWorld world;
  const auto ours = co_await world.settle("ours");
  world.clock.advance(days(400));
  co_await world.upkeep.check();
  const auto ahead = co_await world.enrol(ours, {});
  const auto served_ahead = world.served;
  world.clock.advance(-days(400));
  co_await world.upkeep.check();
  CHECK_FALSE(world.served == served_ahead);
  CHECK(world.served.not_before() <= world.clock.wall());
  const auto right = co_await world.enrol(ours, {});
  CHECK(issuing_ca_of(ahead).not_before() > world.clock.wall());
  CHECK(issuing_ca_of(right).not_before() <= world.clock.wall());
}

ASYNC_TEST_CASE("an issuing CA that somebody renewed first is not replaced again", "[identity][upkeep]") {
  UpkeepWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = issuing_ca_of(co_await world.enrol(ours, {}));
  must(co_await world.authority.renew(ours.org, first));
  const auto second = issuing_ca_of(co_await world.enrol(ours, {}));
  auto stale = co_await world.authority.renew(ours.org, first);
  REQUIRE_FALSE(stale);
  CHECK(stale.error().code == Errc::conflict);
  const auto still = issuing_ca_of(co_await world.enrol(ours, {}));
  CHECK(still == second);
}

ASYNC_TEST_CASE("an issuing CA that is due while the root key is offline is warned of, and goes on signing",
                "[identity][upkeep]") {
  UpkeepWorld world;
  const auto ours = co_await world.settle("ours");
  const auto first = co_await world.enrol(ours, {});
  const CarriedKey key(world);
  world.clock.advance(days(4 * 365 + 100));
  co_await world.upkeep.check();
  CHECK(world.sink.text.find("issuing CA") != std::string::npos);
  CHECK(world.sink.text.find("root key is offline") != std::string::npos);
  const auto later = co_await world.enrol(ours, {});
  CHECK(issuing_ca_of(later) == issuing_ca_of(first));
}
