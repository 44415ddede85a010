#include "relay/gateway/jobs_seat.h"

#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>

#include <memory>

using namespace sallyport;
using namespace sallyport::gateway;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const AgentId kAgent("agt_1");

struct Rig {
  explicit Rig(asio::any_io_executor executor) : on(std::move(executor)) {}
  std::unique_ptr<JobsSeat> wish() {
    return std::make_unique<JobsSeat>(seats, on, kAgent, [this] { ++asked; });
  }

  asio::any_io_executor on;
  JobsSeats seats;
  int asked = 0;
};

asio::awaitable<Result<bool>> taken(JobsSeat& seat) { co_return co_await seat.taken(); }

asio::awaitable<bool> is_taken(JobsSeat& seat) {
  const auto outcome = co_await with_timeout(20ms, taken(seat));
  co_return outcome && *outcome;
}

}  // namespace

ASYNC_TEST_CASE("the seat is for one at a time, and who comes last gets it when the others have left", "[gateway]") {
  Rig rig(co_await asio::this_coro::executor);
  auto first = rig.wish();
  bool seated = co_await is_taken(*first);
  REQUIRE(seated);
  auto second = rig.wish();
  auto third = rig.wish();
  CHECK(rig.asked == 2);
  seated = co_await is_taken(*third);
  CHECK_FALSE(seated);
  second.reset();
  seated = co_await is_taken(*third);
  CHECK_FALSE(seated);
  first.reset();
  seated = co_await is_taken(*third);
  CHECK(seated);
  third.reset();
  CHECK(rig.seats.agents() == 0);
}

ASYNC_TEST_CASE("who dies waiting leaves nothing behind, and the seat to whom it waited for", "[gateway]") {
  Rig rig(co_await asio::this_coro::executor);
  for (const bool in_order : {false, true}) {
    INFO("in order: " << in_order);
    auto first = rig.wish();
    bool seated = co_await is_taken(*first);
    REQUIRE(seated);
    auto second = rig.wish();
    auto third = rig.wish();
    (in_order ? second : third).reset();
    (in_order ? third : second).reset();
    CHECK(rig.seats.agents() == 1);
    auto fourth = rig.wish();
    seated = co_await is_taken(*fourth);
    CHECK_FALSE(seated);
    fourth.reset();
    first.reset();
    CHECK(rig.seats.agents() == 0);
  }
}
