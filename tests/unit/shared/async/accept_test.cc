#include "shared/async/accept.h"

#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// No file more can be opened while it lives.
class NoFiles {
 public:
  NoFiles() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &saved_) == 0);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), saved_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoFiles(const NoFiles&) = delete;
  NoFiles& operator=(const NoFiles&) = delete;
  ~NoFiles() { ::setrlimit(RLIMIT_NOFILE, &saved_); }

 private:
  rlimit saved_{};
};

}  // namespace

ASYNC_TEST_CASE("a connection is taken with the address it comes from, also when it has gone again", "[async]") {
  const auto on = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(on, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(on);
  client.open(tcp::v4());
  client.bind({asio::ip::make_address("127.0.0.7"), 0});
  client.connect(acceptor.local_endpoint());
  client.set_option(tcp::socket::linger(true, 0));
  client.close();
  Acceptance acceptance([](const auto& why, auto) { FAIL_CHECK(why); });
  const auto accepted = co_await acceptance.next(acceptor);
  REQUIRE(accepted);
  CHECK(accepted->peer.address().to_string() == "127.0.0.7");
}

ASYNC_TEST_CASE("without files accepting waits instead of spinning, says so once, and goes on afterwards", "[async]") {
  const auto on = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(on, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(on);
  client.connect(acceptor.local_endpoint());
  std::vector<std::string> told;
  Acceptance acceptance([&](const std::string& why, std::uint64_t) { told.push_back(why); });
  {
    const NoFiles none;
    const auto begun = std::chrono::steady_clock::now();
    for (int n = 0; n < 3; ++n) {
      const auto accepted = co_await acceptance.next(acceptor);
      CHECK_FALSE(accepted);
    }
    CHECK(std::chrono::steady_clock::now() - begun >= 300ms);
  }
  CHECK(told.size() == 1);
  const auto accepted = co_await acceptance.next(acceptor);
  CHECK(accepted);
}
