#include "relay/tunnels/workstation.h"

#include "shared/async/timeout.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kChannels = 192;  // what the windows of a link have room for

link::Refusal as_refusal(const Denial& why) { return {.code = why.code, .message = why.message}; }

link::SessionOptions options_for(const link::SessionTimes& times) {
  link::SessionOptions options{.side = mux::Side::relay, .self = {}, .times = times};
  options.self.software = "sallyport-relay/" SALLYPORT_VERSION;
  options.serves = {std::string(tunnel::kConnectionService)};
  options.limits.channels = kChannels;
  return options;
}

}  // namespace

asio::awaitable<link::EndReason> WorkstationSession::run(std::unique_ptr<ByteStream> stream) {
  session_ = std::make_unique<link::Session>(co_await asio::this_coro::executor, std::move(stream),
                                             options_for(times_.link), *this, clock_);
  auto why = co_await session_->run();
  session_.reset();
  co_return why;
}

void WorkstationSession::cut(Denial why) {
  if (denied_) return;
  denied_ = std::move(why);
  if (session_) session_->refuse(as_refusal(*denied_));
}

asio::awaitable<std::optional<link::Refusal>> WorkstationSession::admit(link::Peer) {
  co_return denied_.transform(as_refusal);
}

asio::awaitable<void> WorkstationSession::serve(link::Session& session) {
  session.spawn("authority", keep_asking());
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) co_return;
    take_(std::move(incoming->channel));
  }
}

asio::awaitable<void> WorkstationSession::keep_asking() {
  for (;;) {
    co_await sleep_for(times_.check);
    if (auto denial = co_await still_allowed_()) co_return cut(*std::move(denial));
  }
}

}  // namespace sallyport::tunnels
