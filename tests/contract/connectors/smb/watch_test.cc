// smb.watch@1 against a real smbd: what it shares with sftp.watch@1 is tested there.
#include "tests/contract/connectors/smb/share.h"
#include "tests/support/async_test.h"
#include "tests/support/watched_server.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;

ASYNC_TEST_CASE("each file of a share starts a job once, when it has settled", "[smb][watch]") {
  ShareFixture share({}, {}, R"(
actions: [smb.watch@1]
connections:
  exchange: {files: [{directory: in, pattern: "*.csv", allow: [read]}]}
)");
  const auto site = share.agent.site();
  boost::asio::thread_pool pool{1};
  const auto trigger = connectors::smb::make_watch(share.servers, site, pool);
  WatchedServer watch(co_await boost::asio::this_coro::executor, *trigger, "exchange");
  share.server.files().write("in/a.csv", "1");
  share.server.files().write("in/b.txt", "1");
  watch.start(args({{"path", "in"}, {"settle", "100ms"}, {"every", "1s"}}));
  const bool first = co_await watch.wait_for(1);
  REQUIRE(first);
  CHECK(watch.name_of(0) == "a.csv");
  share.server.cut();  // it finds another connection
  share.server.files().write("in/c.csv", "1");
  const bool second = co_await watch.wait_for(2);
  REQUIRE(second);
  CHECK(watch.name_of(1) == "c.csv");
  co_await watch.finish();
}
