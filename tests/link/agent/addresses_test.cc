#include "agent/link/dialer.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <filesystem>
#include <future>
#include <list>
#include <mutex>

using namespace sallyport;
using namespace sallyport::agent;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kBoth = {"::1", "127.0.0.1"};

std::optional<std::string> empty_environment(const std::string&) { return std::nullopt; }
SteadyTime in(std::chrono::milliseconds length) { return std::chrono::steady_clock::now() + length; }
asio::ip::address address(std::string_view text) { return asio::ip::make_address(text); }

std::size_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

// A port of one address. While `silent`, it takes no connection: its queue is full.
struct Door {
  Door(const asio::any_io_executor& on, std::string_view host, std::uint16_t port = 0) : acceptor(on) {
    const tcp::endpoint at(address(host), port);
    acceptor.open(at.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (at.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true));
    acceptor.bind(at);
  }
  void open() { acceptor.listen(); }
  void fill() {
    acceptor.listen(0);
    for (int i = 0; i < 3; ++i) waiting.emplace_back(acceptor.get_executor()).async_connect(where(), [](auto) {});
  }
  tcp::endpoint where() const { return acceptor.local_endpoint(); }
  std::uint16_t port() const { return where().port(); }
  tcp::acceptor acceptor;
  std::list<tcp::socket> waiting;
};

// What name servers say, and how often they were asked.
class Names {
 public:
  platform::Lookups::Resolve resolve() {
    return [this](const std::string& host) -> platform::Lookups::Addresses {
      if (host.starts_with("hang")) gone_.wait();
      const std::scoped_lock lock(mutex_);
      ++asked_;
      return addresses_;
    };
  }
  void say(std::initializer_list<const char*> texts) {
    const std::scoped_lock lock(mutex_);
    addresses_.clear();
    for (const auto* text : texts) addresses_.push_back(address(text));
  }
  int asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }
  void let_go() { go_.set_value(); }

 private:
  mutable std::mutex mutex_;
  std::vector<asio::ip::address> addresses_;
  int asked_ = 0;
  std::promise<void> go_;
  std::shared_future<void> gone_ = go_.get_future().share();
};

asio::awaitable<void> tick(int& ticks) {
  for (;; ++ticks) co_await sleep_for(10ms);
}

}  // namespace

ASYNC_TEST_CASE("an address that swallows everything costs a quarter of a second, in either family", "[link]") {
  const auto on = co_await asio::this_coro::executor;
  Names names;
  names.say(kBoth);
  const Dialer dialer(on, "none", empty_environment, names.resolve());
  for (const std::string_view silent : kBoth) {
    INFO(silent << " is silent");
    const std::string_view other = silent == "::1" ? "127.0.0.1" : "::1";
    Door good(on, other), hole(on, silent, good.port());
    good.open();
    hole.fill();
    names.say({silent.data(), other.data()});
    const auto files = open_files();
    const auto begun = std::chrono::steady_clock::now();
    const auto socket = co_await dialer.dial({"relay.example", good.port()}, in(30s));
    const auto took = std::chrono::steady_clock::now() - begun;
    REQUIRE(socket);
    CHECK(socket->remote_endpoint() == good.where());
    CHECK(took >= kBetweenAddresses);
    CHECK(took < kAnotherDial);
    CHECK(open_files() == files + 1);  // the loser is closed
  }
}

ASYNC_TEST_CASE("an address that refuses costs nothing, and one that answers spares the rest", "[link]") {
  const auto on = co_await asio::this_coro::executor;
  Names names;
  const Dialer dialer(on, "none", empty_environment, names.resolve());
  Door four(on, "127.0.0.1"), six(on, "::1", four.port());
  four.open();
  names.say(kBoth);
  const auto begun = std::chrono::steady_clock::now();
  const auto refused_first = co_await dialer.dial({"relay.example", four.port()}, in(30s));
  REQUIRE(refused_first);
  CHECK(refused_first->remote_endpoint() == four.where());
  CHECK(std::chrono::steady_clock::now() - begun < kBetweenAddresses);
  six.open();
  const auto both = co_await dialer.dial({"relay.example", four.port()}, in(30s));
  REQUIRE(both);
  CHECK(both->remote_endpoint() == six.where());
  four.acceptor.non_blocking(true);
  boost::system::error_code bad;
  auto one = four.acceptor.accept(bad);
  CHECK_FALSE(bad);
  auto two = four.acceptor.accept(bad);
  CHECK(bad == asio::error::would_block);
}

ASYNC_TEST_CASE("when no address answers, each is named with what became of it", "[link]") {
  const auto on = co_await asio::this_coro::executor;
  Names names;
  names.say(kBoth);
  const Dialer dialer(on, "none", empty_environment, names.resolve());
  Door four(on, "127.0.0.1"), six(on, "::1", four.port());
  six.fill();
  const auto socket = co_await dialer.dial({"relay.example", four.port()}, in(600ms));
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::timed_out);
  CHECK_THAT(socket.error().message, Catch::Contains("connecting to relay.example:") &&
                                         Catch::Contains("127.0.0.1: Connection refused; no answer in time from ::1"));
}

ASYNC_TEST_CASE("a name that leads elsewhere is followed by the next dial", "[link]") {
  const auto on = co_await asio::this_coro::executor;
  Names names;
  const Dialer dialer(on, "none", empty_environment, names.resolve());
  Door old_home(on, "127.0.0.1"), new_home(on, "127.0.0.2", old_home.port());
  old_home.open();
  new_home.open();
  names.say({"127.0.0.1"});
  const auto before = co_await dialer.dial({"relay.example", old_home.port()}, in(30s));
  REQUIRE(before);
  CHECK(before->remote_endpoint() == old_home.where());
  names.say({"127.0.0.2"});
  const auto after = co_await dialer.dial({"relay.example", old_home.port()}, in(30s));
  REQUIRE(after);
  CHECK(after->remote_endpoint() == new_home.where());
  CHECK(names.asked() == 2);
}

ASYNC_TEST_CASE("name servers that hang cost neither the deadline nor the loop nor the way to another name", "[link]") {
  const auto on = co_await asio::this_coro::executor;
  Names names;
  names.say({"127.0.0.1"});
  const Dialer dialer(on, "none", empty_environment, names.resolve());
  Door good(on, "127.0.0.1");
  good.open();
  int ticks = 0;
  TaskGroup tasks(on, [](const auto&, const auto&) {});
  tasks.spawn("tick", tick(ticks));
  const auto begun = std::chrono::steady_clock::now();
  const auto hung = co_await dialer.dial({"hang.example", good.port()}, in(300ms));
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == Errc::timed_out);
  CHECK(hung.error().message == "looking up hang.example: no answer in time");
  CHECK(ticks > 3);
  const auto other = co_await dialer.dial({"relay.example", good.port()}, in(30s));
  CHECK(other);
  const Dialer proxied(on, "http://hang.example:3128", empty_environment, names.resolve());
  const auto proxy = co_await proxied.dial({"relay.example", good.port()}, in(100ms));
  REQUIRE_FALSE(proxy);
  CHECK(proxy.error().message == "the HTTP proxy: looking up hang.example: no answer in time");
  tasks.stop();
  co_await tasks.join();
  names.let_go();
}
