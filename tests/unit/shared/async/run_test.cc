#include "shared/async/run.h"

#include "shared/async/event.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>

namespace sallyport {
namespace asio = boost::asio;
namespace {

asio::awaitable<Result<int>> seven() { co_return 7; }

asio::awaitable<Result<int>> refused() { co_return fail(Errc::forbidden, "not today"); }

asio::awaitable<Result<int>> thrower() {
  throw std::runtime_error("planted");
  co_return 1;
}

asio::awaitable<Result<int>> alien() {
  throw 7;
  co_return 1;
}

std::exception_ptr cancelled() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

}  // namespace

TEST_CASE("what a task gives is what running it gives", "[async]") {
  asio::io_context loop(1);
  CHECK(run_to_end(loop, seven(), "counting").value() == 7);
}

TEST_CASE("a task's own error stays what it is", "[async]") {
  asio::io_context loop(1);
  const auto outcome = run_to_end(loop, refused(), "counting");
  REQUIRE(!outcome);
  CHECK(outcome.error().code == Errc::forbidden);
  CHECK(outcome.error().message == "not today");
}

TEST_CASE("an exception that leaves a task is an internal error that says what it was", "[async]") {
  asio::io_context loop(1);
  const auto outcome = run_to_end(loop, thrower(), "counting");
  REQUIRE(!outcome);
  CHECK(outcome.error().code == Errc::internal);
  CHECK(outcome.error().message == "counting broke off: planted");
}

TEST_CASE("an exception that is none of the standard's is named as such", "[async]") {
  asio::io_context loop(1);
  const auto outcome = run_to_end(loop, alien(), "counting");
  REQUIRE(!outcome);
  CHECK(outcome.error().message == "counting broke off: an exception of unknown type");
}

TEST_CASE("a stopped loop gives an error, not a value that was never made", "[async]") {
  asio::io_context loop(1);
  loop.stop();
  const auto outcome = run_to_end(loop, seven(), "counting");
  REQUIRE(!outcome);
  CHECK(outcome.error().message == "counting did not come to an end");
}

TEST_CASE("only Asio's operation_aborted is a cancellation", "[async]") {
  CHECK(is_cancellation(cancelled()));
  CHECK(!is_cancellation(std::make_exception_ptr(boost::system::system_error(asio::error::eof))));
  CHECK(!is_cancellation(std::make_exception_ptr(std::runtime_error("operation aborted"))));
  CHECK(!is_cancellation(std::make_exception_ptr(7)));
}

}  // namespace sallyport
