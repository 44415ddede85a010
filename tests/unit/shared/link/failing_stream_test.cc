#include "tests/unit/shared/link/link_fixture.h"

#include <boost/asio/this_coro.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using link::LinkEnd;
namespace asio = boost::asio;

namespace {

// Passes `budget` reads and writes on, and fails every later one as a broken connection does.
class FailingStream final : public ByteStream {
 public:
  FailingStream(std::unique_ptr<ByteStream> inner, int budget) : inner_(std::move(inner)), budget_(budget) {}
  asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override {
    if (budget_-- <= 0) co_return fail(Errc::unavailable, "planted failure of a read");
    co_return co_await inner_->read_some(into);
  }
  asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override {
    if (budget_-- <= 0) co_return fail(Errc::unavailable, "planted failure of a write");
    co_return co_await inner_->write_all(bytes);
  }
  void close() noexcept override { inner_->close(); }

 private:
  std::unique_ptr<ByteStream> inner_;
  int budget_;
};

asio::awaitable<void> exchange_and_stop(link::Session& session) {
  auto channel = session.open_channel("echo/1");
  if (!channel) co_return;
  const auto sent = co_await channel->send_message(std::string(100'000, 'm'));
  if (!sent) co_return;
  const auto back = co_await channel->receive_message();
  if (back && *back) session.stop("the exchange is complete");
}

asio::awaitable<void> echo_once(link::Session& session) {
  auto incoming = co_await session.accept_channel();
  if (!incoming) co_return;
  const auto message = co_await incoming->channel.receive_message();
  if (!message || !*message) co_return;
  const auto sent = co_await incoming->channel.send_message(std::string(as_text(**message)));
  if (sent) co_await incoming->channel.receive_message();
}

}  // namespace

ASYNC_TEST_CASE("whichever read or write fails, both sides end with a reason and nothing is left running", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  bool completed = false;
  for (int budget = 0; budget < 400 && !completed; ++budget) {
    INFO("operation " << budget << " fails");
    LinkPair link(executor);
    link.agent.owner.work = exchange_and_stop;
    link.relay.owner.work = echo_once;
    link.line.a = std::make_unique<FailingStream>(std::move(link.line.a), budget);
    link.start();
    co_await link.join();
    REQUIRE(link.agent.end);
    REQUIRE(link.relay.end);
    completed = link.agent.end->end == LinkEnd::stopped;
    if (completed) continue;
    CHECK(link.agent.end->end == LinkEnd::stream_failed);
    CHECK(link.agent.end->message.find("planted") != std::string::npos);
    const bool noticed = link.relay.end->end == LinkEnd::peer_closed || link.relay.end->end == LinkEnd::stream_failed;
    CHECK(noticed);
  }
  CHECK(completed);
}
