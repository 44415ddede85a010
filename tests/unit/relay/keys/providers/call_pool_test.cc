#include "relay/keys/providers/call_pool.h"
#include "shared/async/task_group.h"
#include "tests/support/async_test.h"

#include <future>

using namespace sallyport;
using namespace sallyport::keys;
using namespace std::chrono_literals;

namespace {

constexpr outbound::CallLimits kShort{.waiting = 8, .deadline = 100ms};
constexpr outbound::CallLimits kLong{.waiting = 8, .deadline = 30s};

// Hangs until it is let go, or answers at once.
class Library final : public BlockingProvider {
 public:
  Result<Bytes> wrap(const std::string&, const Secret&, const outbound::CallThread::Call&) override {
    ++calls;
    if (hangs) opened.wait();
    return Bytes(1);
  }
  Result<Secret> unwrap(const std::string&, const Bytes&, const outbound::CallThread::Call&) override {
    return Secret();
  }
  std::string describe() const override { return "library"; }
  void let_go() { open.set_value(); }

  std::atomic<bool> hangs = false;
  std::atomic<int> calls = 0;

 private:
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
};

boost::asio::awaitable<Result<Bytes>> ask(Provider& provider) {
  co_return co_await provider.wrap("p", Secret::take(std::string(32, 'k')));
}

}  // namespace

ASYNC_TEST_CASE("a provider that hangs costs its own callers their deadline and others nothing", "[keys][call_pool]") {
  CallPool answering(2, kShort), silent(2, kShort);
  const auto slow = std::make_shared<Library>(), quick = std::make_shared<Library>();
  const auto one = on_shared_threads(slow, "slow", {answering, silent});
  const auto other = on_shared_threads(quick, "quick", {answering, silent});
  slow->hangs = true;
  const auto late = co_await ask(*one);
  REQUIRE(!late);
  CHECK(late.error().code == Errc::timed_out);
  CHECK(late.error().message.starts_with("slow: "));
  for (int i = 0; i < 20; ++i) {
    const auto answered = co_await ask(*other);
    CHECK(answered);
  }
  CHECK(answering.threads() == 2);
  const auto again = co_await ask(*one);  // is not called while it hangs
  CHECK(!again);
  CHECK(slow->calls == 1);
  slow->hangs = false;
  slow->let_go();
  bool back = false;
  for (int tries = 0; tries < 600 && !back; ++tries) back = (co_await ask(*one)).has_value();
  CHECK(back);
}

ASYNC_TEST_CASE("a pool makes threads when they are needed, and no more than it may", "[keys][call_pool]") {
  CallPool pool(3, kLong);
  std::promise<void> open;
  const auto opened = open.get_future().share();
  TaskGroup calls(co_await boost::asio::this_coro::executor, [](const auto&, auto) { FAIL_CHECK("a fault"); });
  int came = 0;
  const auto call = [&]() -> boost::asio::awaitable<void> {
    const auto got = co_await pool.run<int>([opened](const outbound::CallThread::Call&) -> Result<int> {
      opened.wait();
      return 1;
    });
    came += got.value_or(0);
  };
  CHECK(pool.threads() == 0);
  for (int i = 0; i < 9; ++i) calls.spawn("call", call());
  open.set_value();
  co_await calls.join();
  CHECK(came == 9);
  CHECK(pool.threads() == 3);
}
