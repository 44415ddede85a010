#pragma once

#include <boost/asio/awaitable.hpp>
#include <catch2/catch.hpp>

#include <chrono>

namespace sallyport::test {

// Runs one coroutine to its end on a fresh loop with one thread; rethrows what it throws. Aborts the test after
// `limit`.
void run(boost::asio::awaitable<void> body, std::chrono::seconds limit = std::chrono::seconds(60));

}  // namespace sallyport::test

// ASYNC_TEST_CASE("what holds", "[tag]") { co_await ...; }   Never co_await inside CHECK or REQUIRE: name the result
// first.
#define SP_ASYNC_TEST_(function, ...)                          \
  static boost::asio::awaitable<void> function();              \
  TEST_CASE(__VA_ARGS__) { sallyport::test::run(function()); } \
  static boost::asio::awaitable<void> function()
#define ASYNC_TEST_CASE(...) SP_ASYNC_TEST_(INTERNAL_CATCH_UNIQUE_NAME(async_test_), __VA_ARGS__)
