// sftp.watch@1 against a real OpenSSH server.
#include "tests/contract/connectors/ssh/partner.h"
#include "tests/support/async_test.h"
#include "tests/support/watched_server.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
namespace asio = boost::asio;

namespace {

const std::string kWatchPolicy = R"(
actions: [sftp.watch@1, sftp.get@1]
connections:
  partner: {files: [{directory: in, pattern: "*.csv", allow: [read]}]}
)";

struct Watch {
  explicit Watch(asio::any_io_executor executor, const std::string& policy = kWatchPolicy)
      : partner({}, {}, policy), server(executor, *trigger, "partner") {
    std::filesystem::create_directory(partner.server.files() / "in");
  }
  void write(const char* name, std::string_view content) { partner.server.files().write(name, content); }

  Partner partner;
  asio::thread_pool pool{1};
  std::unique_ptr<connectors::TriggerSource> trigger =
      connectors::ssh::make_watch(connectors::ssh::make_servers(partner.agent.site()), partner.agent.site(), pool);
  WatchedServer server;
};

ValueMap in_directory() { return args({{"path", "in"}, {"settle", "100ms"}, {"every", "1s"}}); }

}  // namespace

ASYNC_TEST_CASE("each file of a server starts a job once, when it has settled", "[sftp][watch]") {
  Watch watch(co_await asio::this_coro::executor);
  watch.write("in/a.csv", "1");
  watch.write("in/.hidden.csv", "1");
  watch.write("in/b.txt", "1");
  watch.server.failures = 1;  // it comes again until it is durable
  watch.server.start(in_directory());
  const bool first = co_await watch.server.wait_for(1);
  REQUIRE(first);
  CHECK(watch.server.name_of(0) == "a.csv");
  CHECK(watch.server.events[0].data.find("file")->find("path")->as_string() == "in/a.csv");
  CHECK(watch.server.events[0].data.find("file")->find("size")->as_int() == 1);
  watch.write("in/c.csv", "123");
  const bool second = co_await watch.server.wait_for(2);
  REQUIRE(second);
  CHECK(watch.server.name_of(1) == "c.csv");
  watch.write("in/a.csv", "another state");
  const bool third = co_await watch.server.wait_for(3);
  REQUIRE(third);
  CHECK(watch.server.name_of(2) == "a.csv");
  CHECK(watch.server.events[2].natural_key != watch.server.events[0].natural_key);
  co_await watch.server.finish();
}

ASYNC_TEST_CASE("a watch of a server has the same keys after a restart", "[sftp][watch]") {
  Watch watch(co_await asio::this_coro::executor);
  watch.write("in/a.csv", "1");
  WatchedServer again(co_await asio::this_coro::executor, *watch.trigger, "partner");
  for (auto* run : {&watch.server, &again}) {
    run->start(in_directory());
    const bool arrived = co_await run->wait_for(1);
    REQUIRE(arrived);
    co_await run->finish();
  }
  CHECK(watch.server.events[0].natural_key == again.events[0].natural_key);
}

ASYNC_TEST_CASE("a watch waits for a server that is away, and ends by the policy", "[sftp][watch]") {
  Watch watch(co_await asio::this_coro::executor);
  watch.partner.server.pause();
  watch.partner.server.cut();
  watch.server.start(args({{"path", "in"}, {"settle", "0s"}, {"every", "1s"}}));
  watch.write("in/a.csv", "1");
  watch.partner.server.resume();
  const bool arrived = co_await watch.server.wait_for(1);
  CHECK(arrived);
  watch.partner.server.stop();
  const bool told = co_await watch.server.hears("connecting to partner");
  CHECK(told);
  co_await watch.server.finish();

  WatchedServer elsewhere(co_await asio::this_coro::executor, *watch.trigger, "partner");
  elsewhere.start(args({{"path", "out"}}));
  (void)co_await elsewhere.hears("never");
  REQUIRE(elsewhere.ended);
  CHECK(elsewhere.ended->error().error_class() == "policy");
  co_await elsewhere.finish();
}
