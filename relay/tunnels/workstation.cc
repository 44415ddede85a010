#include "relay/tunnels/workstation.h"

#include "shared/async/timeout.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReceived = 8u << 20;        // what one session may make the relay hold
constexpr std::uint32_t kFirstWindow = 16u << 10;  // of a connection
constexpr std::size_t kChannels = 128;             // what is kept for new ones has always room for them
static_assert(kChannels * kFirstWindow <= mux::MuxLimits{.received = kReceived}.kept_for_channels());

const Denial kExpired{"revoked", "the API token has expired"};
const Denial kUnknown{"unavailable", "the relay cannot tell any more whether this session may go on"};

link::Refusal as_refusal(const Denial& why) { return {.code = why.code, .message = why.message}; }

link::SessionOptions options_for(const link::SessionTimes& times) {
  link::SessionOptions options{.side = mux::Side::relay, .self = {}, .times = times};
  options.self.software = "sallyport-relay/" SALLYPORT_VERSION;
  options.serves = {std::string(tunnel::kConnectionService)};
  options.limits.channels = kChannels;
  options.limits.received = kReceived;
  options.limits.initial_window = kFirstWindow;
  return options;
}

}  // namespace

asio::awaitable<link::EndReason> WorkstationSession::run(std::unique_ptr<ByteStream> stream) {
  ask_ = std::make_unique<Event>(co_await asio::this_coro::executor);
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

void WorkstationSession::deny(const Denial& why) {
  if (denied_) return;
  calls_.denied(why);
  cut(why);
}

void WorkstationSession::ask_now() {
  if (ask_) ask_->set();
}

void WorkstationSession::go_away(Denial why, std::chrono::milliseconds drain) {
  if (session_ && session_->draining()) return;
  if (!session_ || denied_ || session_->open_channels() == 0) return cut(std::move(why));
  session_->go_away(why.message, drain);
}

asio::awaitable<std::optional<link::Refusal>> WorkstationSession::admit(link::Peer) {
  co_return denied_.transform(as_refusal);
}

asio::awaitable<void> WorkstationSession::serve(link::Session& session) {
  answered_ = clock_.steady();
  session.spawn("watch", keep_watch());
  co_await ask();  // what changed since it was let in
  if (denied_) co_return;
  session.spawn("authority", keep_asking());
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) co_return;
    calls_.take(std::move(incoming->channel));
  }
}

asio::awaitable<void> WorkstationSession::keep_asking() {
  for (;;) {
    co_await ask_->wait_until(std::chrono::steady_clock::now() + times_.check);
    co_await ask();
  }
}

asio::awaitable<void> WorkstationSession::ask() {
  ask_->clear();
  const auto answer = co_await calls_.still_allowed();
  if (!answer) co_return;
  if (*answer) co_return deny(**answer);
  answered_ = clock_.steady();
}

// Fails closed. On its own, for a question may stay without an answer and cannot be taken back.
asio::awaitable<void> WorkstationSession::keep_watch() {
  for (;;) {
    co_await sleep_for(times_.check);
    if (until_ && clock_.wall() >= *until_) co_return deny(kExpired);
    if (clock_.steady() - answered_ >= times_.trust) co_return cut(kUnknown);
  }
}

}  // namespace sallyport::tunnels
