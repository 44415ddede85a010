#include "agent/runner/jobs_channel.h"

#include "shared/async/task_group.h"
#include "shared/link/session.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::runner {
namespace asio = boost::asio;
namespace {

bool has_health(const std::vector<std::string>& capabilities) {
  return std::ranges::find(capabilities, "health") != capabilities.end();
}

class ChannelUplink final : public Uplink {
 public:
  ChannelUplink(const link::Channel& channel, const link::Session& session)
      : channel_(channel), takes_health_(has_health(session.peer().capabilities)) {}
  asio::awaitable<Result<void>> send(std::string message) override { return channel_.send_message(std::move(message)); }

  bool takes_health() const override { return takes_health_; }

 private:
  const link::Channel& channel_;
  bool takes_health_;
};

asio::awaitable<Result<void>> receive(const link::Channel& channel, Engine& engine) {
  for (;;) {
    SP_CO_TRY(auto message, co_await channel.receive_message());
    if (!message) co_return fail(Errc::unavailable, "the relay closed the jobs channel");
    SP_CO_CHECK(co_await engine.on_message(*std::move(message)));
  }
}

constexpr std::string_view kMute = "the agent sends nothing any more";

// A channel that only listens would keep a link up on which no lease is renewed and no report goes out.
asio::awaitable<void> send(const link::Channel& channel, Uplink& uplink, Engine& engine) {
  co_await engine.serve(uplink);
  channel.reset(mux::ResetCode::internal, kMute);
}

}  // namespace

asio::awaitable<Result<void>> run_jobs_channel(link::Session& session, Engine& engine) {
  SP_CO_TRY(const link::Channel channel, session.open_channel(kJobsPurpose));
  ChannelUplink uplink(channel, session);
  TaskGroup sending(co_await asio::this_coro::executor, [&channel](const std::string&, const std::string&) {
    channel.reset(mux::ResetCode::internal, kMute);
  });
  sending.spawn("pump", send(channel, uplink, engine));
  Result<void> ended;
  std::exception_ptr fault;
  try {
    ended = co_await receive(channel, engine);
  } catch (...) {
    fault = std::current_exception();  // the link went away under us: the pump must end first
  }
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  sending.stop();
  co_await sending.join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (fault) std::rethrow_exception(fault);
  co_return ended;
}

}  // namespace sallyport::runner
