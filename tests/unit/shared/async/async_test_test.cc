#include "tests/support/async_test.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stdexcept>

// What runs the coroutines of all other tests.
namespace {

namespace asio = boost::asio;

struct Flag {
  explicit Flag(bool& gone) : gone_(gone) {}
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;
  ~Flag() { gone_ = true; }

 private:
  bool& gone_;
};

asio::awaitable<void> wait_for_ever(bool& gone) {
  const Flag flag(gone);
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> fail_at_once() {
  throw std::logic_error("it failed");
  co_return;
}

}  // namespace

TEST_CASE("a test that takes too long fails, and has left its frames", "[support]") {
  bool gone = false;
  CHECK_THROWS_WITH(sallyport::test::run(wait_for_ever(gone), std::chrono::seconds(1)),
                    "the test's coroutine did not end within 1 s");
  CHECK(gone);
}

TEST_CASE("what a test throws comes out of it", "[support]") {
  CHECK_THROWS_WITH(sallyport::test::run(fail_at_once()), "it failed");
}
