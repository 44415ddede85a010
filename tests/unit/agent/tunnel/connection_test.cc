#include "agent/tunnel/connection.h"

#include "tests/support/failing_new.h"
#include "tests/unit/shared/link/link_fixture.h"

#include <boost/asio/use_awaitable.hpp>

// A connection that finds no memory, wherever in its beginning: it ends, once, and nothing is left of it.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
namespace asio = boost::asio;

namespace {

// Connections over one link, to a target that takes them.
struct Bench {
  explicit Bench(const asio::any_io_executor& executor)
      : on(executor), link(executor), target(executor, {asio::ip::address_v4::loopback(), 0}) {}
  asio::awaitable<void> start() {
    link.start();
    const bool ready = co_await link.until([this] { return link.agent.session->proven(); });
    REQUIRE(ready);
  }
  asio::awaitable<void> close() {
    link.agent.session->stop("test is over");
    co_await link.join();
  }

  std::shared_ptr<tunnel::Connection> make() {
    outcomes.clear();
    auto channel = link.agent.session->open_channel("echo/1");
    REQUIRE(channel);
    return std::make_shared<tunnel::Connection>(on, tunnel::Target{"127.0.0.1", 1}, *std::move(channel),
                                                [this](auto outcome) { outcomes.push_back(std::move(outcome)); });
  }
  // The last handle is the test's, so nothing can call it any more.
  asio::awaitable<void> see_end(const std::shared_ptr<tunnel::Connection>& connection) {
    const bool over = co_await link.until([&] { return !outcomes.empty() && connection.use_count() == 1; });
    CHECK(over);
    REQUIRE(outcomes.size() == 1);
  }

  asio::any_io_executor on;
  LinkPair link;
  tcp::acceptor target;
  std::vector<Result<tunnel::SpliceOutcome>> outcomes;
};

struct Tried {
  bool failed = false;
  bool threw = false;
};

// With `after` allocations left; nothing of the test allocates meanwhile.
template <class Begin>
Tried with_memory_for(std::size_t after, Begin begin) {
  Tried tried;
  const FailingNew failing(after);
  try {
    begin();
  } catch (const std::bad_alloc&) {
    tried.threw = true;
  }
  tried.failed = failing.has_failed();
  return tried;
}

}  // namespace

ASYNC_TEST_CASE("a dial that finds no memory is a fault of this connection alone", "[tunnel][memory]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  std::size_t failures = 0;
  for (bool failed = true; failed; failures += failed ? 1 : 0) {
    INFO("after " << failures << " allocations");
    const auto connection = bench.make();
    const auto where = bench.target.local_endpoint();
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    const auto tried = with_memory_for(failures, [&] { connection->dial(where, deadline); });
    failed = tried.failed;
    CHECK(tried.threw == failed);
    if (failed) {
      connection->fail({Errc::internal, "no memory"});
    } else {
      connection->stop();
    }
    co_await bench.see_end(connection);
  }
  CHECK(failures > 0);
  co_await bench.close();
}

ASYNC_TEST_CASE("a target that was reached and cannot be carried for want of memory is let go", "[tunnel][memory]") {
  Bench bench(co_await asio::this_coro::executor);
  co_await bench.start();
  std::size_t failures = 0;
  for (bool failed = true; failed; failures += failed ? 1 : 0) {
    INFO("after " << failures << " allocations");
    const auto connection = bench.make();
    tcp::socket socket(bench.on);
    co_await socket.async_connect(bench.target.local_endpoint(), asio::use_awaitable);
    Result<tcp::socket> reached(std::move(socket));
    const auto tried = with_memory_for(failures, [&] { connection->dialled(std::move(reached)); });
    CHECK_FALSE(tried.threw);
    failed = tried.failed;
    if (!failed) connection->stop();
    co_await bench.see_end(connection);
    const auto& outcome = bench.outcomes.front();
    const auto expected = failed ? tunnel::SpliceEnd::failed : tunnel::SpliceEnd::stopped;
    CHECK((!outcome || outcome->end == expected));
  }
  CHECK(failures > 0);
  co_await bench.close();
}
