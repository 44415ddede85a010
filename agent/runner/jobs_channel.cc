#include "agent/runner/jobs_channel.h"

#include "shared/async/task_group.h"
#include "shared/link/session.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::runner {
namespace asio = boost::asio;
namespace {

constexpr auto kFarewell = std::chrono::seconds(3);

class ChannelUplink final : public Uplink {
 public:
  ChannelUplink(const link::Channel& channel, const link::Session& session, const asio::any_io_executor& executor)
      : channel_(channel), takes_health_(knows(session.peer(), "health")), idle_(executor) {
    idle_.set();
  }
  asio::awaitable<Result<void>> send(std::string message) override {
    if (closed_) co_return fail(Errc::cancelled, "the jobs move to another link");
    idle_.clear();
    auto sent = co_await channel_.send_message(std::move(message));
    idle_.set();
    co_return sent;
  }
  bool takes_health() const override { return takes_health_; }

  // No further message; returns when the one that was being sent is through.
  asio::awaitable<void> close(SteadyTime deadline) {
    closed_ = true;
    co_await idle_.wait_until(deadline);
  }
  bool is_closed() const { return closed_; }

 private:
  const link::Channel& channel_;
  bool takes_health_;
  bool closed_ = false;
  Event idle_;
};

asio::awaitable<Result<void>> receive(const link::Channel& channel, const ChannelUplink& uplink, Engine& engine) {
  for (;;) {
    SP_CO_TRY(auto message, co_await channel.receive_message());
    if (!message && uplink.is_closed()) co_return Result<void>();
    if (!message) co_return fail(Errc::unavailable, "the relay closed the jobs channel");
    SP_CO_CHECK(co_await engine.on_message(*std::move(message)));
  }
}

constexpr std::string_view kMute = "the agent sends nothing any more";

// A channel that only listens would keep a link up on which no lease is renewed and no report goes out.
asio::awaitable<void> send(const link::Channel& channel, ChannelUplink& uplink, Engine& engine) {
  co_await engine.serve(uplink);
  if (!uplink.is_closed()) channel.reset(mux::ResetCode::internal, kMute);
}

// The relay stores and confirms what it got, and ends its direction too.
asio::awaitable<void> see_off(const link::Channel& channel, ChannelUplink& uplink, Event& leave) {
  co_await leave.wait();
  if (!leave.is_set()) co_return;
  const auto deadline = std::chrono::steady_clock::now() + kFarewell;
  co_await uplink.close(deadline);
  (void)channel.finish();
  Event never(co_await asio::this_coro::executor);
  co_await never.wait_until(deadline);
  channel.reset(mux::ResetCode::cancelled, "the jobs move to another link");
}

}  // namespace

void JobsChannel::leave(const link::Session& session) {
  if (on_ == &session) leave_.set();
}

asio::awaitable<Result<void>> JobsChannel::run(link::Session& session) {
  SP_CO_TRY(const link::Channel channel, session.open_channel(kJobsPurpose));
  const auto executor = co_await asio::this_coro::executor;
  ChannelUplink uplink(channel, session, executor);
  leave_.clear();
  on_ = &session;
  TaskGroup sending(
      executor, [&channel](const std::string&, const std::string&) { channel.reset(mux::ResetCode::internal, kMute); });
  sending.spawn("pump", send(channel, uplink, engine_));
  sending.spawn("farewell", see_off(channel, uplink, leave_));
  Result<void> ended;
  std::exception_ptr fault;
  try {
    ended = co_await receive(channel, uplink, engine_);
  } catch (...) {
    fault = std::current_exception();  // the link went away under us: the pump must end first
  }
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  sending.stop();
  co_await sending.join();
  on_ = nullptr;
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (fault) std::rethrow_exception(fault);
  co_return ended;
}

}  // namespace sallyport::runner
