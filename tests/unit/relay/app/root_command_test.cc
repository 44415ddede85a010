#include "relay/app/root_command.h"

#include "relay/app/data_lock.h"
#include "relay/app/key_ring.h"
#include "relay/app/options.h"
#include "relay/identity/agent_authority.h"
#include "relay/identity/root_rotation.h"
#include "relay/keys/layered_envelope.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/app/made_relay.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <utility>

// The root of a relay, changed by commands.
using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;

namespace {

LockNote noted(const DataDirectory& data) {
  const auto note = DataLock::holder(data);
  if (!note) FAIL("nobody holds the directory");
  return note.value_or(LockNote());
}

struct AsNobody {
  AsNobody() { REQUIRE(::seteuid(65534) == 0); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (::seteuid(0) != 0) std::abort();
  }
};

std::string told(const DataDirectory& data, RootStep step, Retirement retirement = Retirement::careful) {
  const auto outcome = change_root({step, data, retirement}, kClock);
  return outcome ? *outcome : "refused: " + outcome.error().message;
}

bool has(const std::string& text, std::string_view words) {
  INFO(text);
  CHECK(text.find(words) != std::string::npos);
  return text.find(words) != std::string::npos;
}

// The organisation's, as the first enrolment makes it.
void make_issuing_ca(const DataDirectory& data) {
  auto database = store::SqliteStore::open({.file = data.database()});
  REQUIRE(database);
  const auto stores = (*database)->stores();
  const auto deployment = identity::load_deployment(data.deployment());
  auto ring = open_keys(data, {}, kClock);
  REQUIRE(ring);
  boost::asio::io_context loop;
  keys::Hierarchy hierarchy(loop.get_executor(),
                            {ring->store->keys(), *ring->provider, ring->anchor, *ring->memory, kClock});
  keys::LayeredEnvelope envelope(hierarchy, stores.job_keys);
  identity::AgentAuthority authority(*deployment, stores.issuing_cas, envelope, kClock);
  run([&]() -> boost::asio::awaitable<void> {
    const auto organisations = co_await stores.organisations.list_all({});
    REQUIRE(organisations);
    auto request = crypto::SigningRequest::from_der(*crypto::make_signing_request(*crypto::PrivateKey::generate()));
    const auto issued =
        co_await authority.issue(organisations->items.front().id, crypto::new_id<AgentId>(kClock), *std::move(request));
    CHECK(issued);
  }());
}

// What the relay in "relay" says until it is ready, or gives up.
std::string log_of_start(const TempDir& folder) {
  const auto program = std::filesystem::absolute(std::getenv("SALLYPORT_BIN")) / "sallyport-relay";
  const auto command = fmt::format(
      "cd {} && ({} serve --data relay 2>log & pid=$!; n=0; until grep -q relay.ready log || ! kill -0 $pid || "
      "[ $n = 300 ]; do n=$((n + 1)); sleep 0.1; done; kill $pid; wait $pid) 2>/dev/null",
      folder.path(), program.string());
  CHECK(std::system(command.c_str()) != -1);
  return folder.read("log");
}

// Holds the data directory as a relay does, in a process of its own.
class Holder {
 public:
  explicit Holder(const DataDirectory& data, Reload reload = Reload::offered) {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGHUP, SIGTERM}) ::sigaddset(&signals_, signal);
    ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      const auto lock = DataLock::take(data, reload);
      const bool said = ::write(ready[1], "r", 1) == 1;
      ::_exit(lock && said && ::sigwaitinfo(&signals_, nullptr) == SIGHUP ? 0 : 1);
    }
    ::close(ready[1]);
    char byte = 0;
    CHECK(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::sigprocmask(SIG_UNBLOCK, &signals_, nullptr);
  }
  ~Holder() { was_told(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  // Ends it; of two signals that wait, SIGHUP is the first that it takes.
  bool was_told() {
    if (child_ <= 0) return false;
    int status = 0;
    ::kill(child_, SIGTERM);
    ::waitpid(std::exchange(child_, -1), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  sigset_t signals_;
  pid_t child_ = -1;
};

void write_note(const DataDirectory& data, const std::string& text) {
  std::ofstream(data.lock(), std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("each step says what comes next, and show says where it is", "[app][root]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  has(told(data, RootStep::show), "root prepare begins a rotation");
  has(told(data, RootStep::switch_over), "refused: nothing to switch to");
  has(told(data, RootStep::retire), "refused: there is no old root");
  const auto prepared = told(data, RootStep::prepare);
  has(prepared, "Sallyport root relay.test 2");
  has(prepared, "No relay runs here");
  has(prepared, "next: root switch");
  has(told(data, RootStep::prepare), "refused: \"Sallyport root relay.test 2\" is prepared already");
  has(told(data, RootStep::show), "prepared \"Sallyport root relay.test 2\"");
  const auto switched = told(data, RootStep::switch_over);
  has(switched, "old-root.key signs nothing any more");
  has(told(data, RootStep::switch_over), "refused: the switch took place already");
  const auto shown = told(data, RootStep::show);
  has(shown, "old      \"Sallyport root relay.test\"");
  has(shown, "0 active agents and 0 issuing CAs");
  has(shown, hex(identity::load_deployment(data.deployment())->root.key_pin()));
  has(told(data, RootStep::retire), "The old root is retired");
  has(told(data, RootStep::show), "root prepare begins a rotation");
}

TEST_CASE("whoever runs on the data directory is told to look", "[app][root]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  Holder relay(data);
  has(told(data, RootStep::prepare), "was told");
  CHECK(relay.was_told());
}

TEST_CASE("who does not say that it understands SIGHUP is not sent it", "[app][root]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  {
    Holder other(data, Reload::not_offered);
    has(told(data, RootStep::prepare), "was not told: if it is a relay, restart it");
    CHECK_FALSE(other.was_told());
  }
  Holder relay(data);
  const auto note = noted(data);
  const auto number = std::to_string(note.holder.number);
  for (const auto& text :
       {number, number + "\n", to_text(note) + "more", std::string()}) {  // the first: older versions
    INFO(text);
    write_note(data, text);
    has(told(data, RootStep::switch_over), "was not told: if it is a relay, restart it");
    told(data, RootStep::retire);
    told(data, RootStep::prepare);
  }
  CHECK_FALSE(relay.was_told());
}

TEST_CASE("SIGHUP goes to the very process that holds the directory, or to none", "[app][root]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  Holder relay(data);
  const auto note = noted(data);
  using Change = void (*)(ProcessMark&);
  const Change changes[] = {
      [](ProcessMark& of) { ++of.started; },            // its number was another's before
      [](ProcessMark& of) { ++of.number_space; },       // another container's
      [](ProcessMark& of) { of.boot[0] ^= 1; },         // before the last boot
      [](ProcessMark& of) { of.number = ::getpid(); },  // this test, which would end
      [](ProcessMark& of) { of.number = 0x3fffffff; },  // nobody's
  };
  for (const auto& change : changes) {
    auto wrong = note;
    change(wrong.holder);
    write_note(data, to_text(wrong));
    INFO(to_text(wrong));
    has(told(data, RootStep::prepare), "could not be told: send it SIGHUP, or restart it");
    for (const auto step : {RootStep::switch_over, RootStep::retire}) told(data, step);
  }
  CHECK_FALSE(relay.was_told());
}

TEST_CASE("a step by another user than the deployment's is refused before it makes anything", "[app][root]") {
  if (::geteuid() != 0) {  // only root gets that far
    WARN("not tested: needs root");
    return;
  }
  const TempDir folder;
  const auto data = made_relay(folder).data;
  std::filesystem::remove(data.lock());
  REQUIRE(::chown(data.deployment().c_str(), 65534, 65534) == 0);
  for (const auto step : {RootStep::prepare, RootStep::switch_over, RootStep::retire}) {
    has(told(data, step), "belongs to nobody, who could not read what is made here now");
    has(told(data, step), "sudo -u nobody");
  }
  CHECK_FALSE(std::filesystem::exists(data.lock()));
  CHECK_FALSE(std::filesystem::exists(data.deployment() / "next-root.pem"));
  has(told(data, RootStep::show), "root prepare begins a rotation");
  REQUIRE(::chown(data.deployment().c_str(), 0, 0) == 0);
  REQUIRE(::chown(data.root.c_str(), 4'242'424, 0) == 0);
  has(told(data, RootStep::prepare), "the user with the number 4242424");
  has(told(data, RootStep::prepare), "sudo -u '#4242424'");
}

TEST_CASE("a root is not retired by guess: who cannot be counted stops it, also by force", "[app][root]") {
  const TempDir folder;
  const auto data = made_relay(folder).data;
  told(data, RootStep::prepare);
  told(data, RootStep::switch_over);
  std::filesystem::rename(data.database(), folder.path("away"));
  has(told(data, RootStep::retire), "cannot be counted");
  CHECK(identity::load_deployment(data.deployment())->predecessor);
  has(told(data, RootStep::retire, Retirement::forced), "cannot be counted");
  std::filesystem::rename(folder.path("away"), data.database());
  has(told(data, RootStep::retire, Retirement::forced), "The old root is retired");
}

TEST_CASE("no force retires a root that issuing CAs are of, and a relay that was left so starts and renews them",
          "[app][root]") {
  const TempDir folder;
  auto order = order_in(folder.path("relay"));
  order.settings.api_listen.port = 18453;
  order.settings.link_listen.port = 18454;
  REQUIRE(init(order, kClock));
  const auto& data = order.data;
  make_issuing_ca(data);
  told(data, RootStep::prepare);
  told(data, RootStep::switch_over);
  has(told(data, RootStep::retire, Retirement::forced), "1 organisations' issuing CAs are of the old root still");
  CHECK(identity::load_deployment(data.deployment())->predecessor);

  identity::FileChanges changes;
  REQUIRE(identity::retire_root(data.deployment(), changes));  // as if forced
  const auto log = log_of_start(folder);
  has(log, "certificate.renewed");
  has(log, "relay.ready");
  has(told(data, RootStep::show), "root prepare begins a rotation");
}

TEST_CASE("the words of root", "[app][root]") {
  const auto order = root_order({"switch", "--data", "/d"});
  REQUIRE(order);
  CHECK(order->step == RootStep::switch_over);
  CHECK(order->data.root == "/d");
  CHECK(order->retirement == Retirement::careful);
  const auto forced = root_order({"retire", "--force", "--data=/d"});
  REQUIRE(forced);
  CHECK(forced->retirement == Retirement::forced);
  struct Row {
    std::vector<std::string> words;
    std::string_view fragment;
  };
  const Row rows[] = {
      {{}, "one of: show"},
      {{"turn"}, "one of: show"},
      {{"--data", "/d"}, "one of: show"},
      {{"show"}, "--data is needed"},
      {{"switch", "--data", "/d", "--force"}, "for root retire only"},
      {{"show", "--date", "/d"}, "did you mean --data"},
  };
  for (const auto& row : rows) {
    const auto refused = root_order(row.words);
    REQUIRE_FALSE(refused);
    has(refused.error().message, row.fragment);
  }
}

TEST_CASE("a directory without a relay has no root", "[app][root]") {
  const TempDir folder;
  has(told({folder.path("none")}, RootStep::show), "holds no relay");
}

TEST_CASE("who may not look into a data directory is told whom to be", "[app][root]") {
  if (::geteuid() != 0) {  // only root can be somebody else
    WARN("not tested: needs root");
    return;
  }
  const TempDir folder;
  const auto data = made_relay(folder).data;
  std::string shown, prepared;
  {
    const AsNobody nobody;
    shown = told(data, RootStep::show);
    prepared = told(data, RootStep::prepare);
  }
  has(shown, "run this as the user that the data directory belongs to");
  has(prepared, "run this as the user that the data directory belongs to");
}
