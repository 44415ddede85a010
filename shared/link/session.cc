#include "shared/link/session.h"

#include "shared/link/session_impl.h"

#include "proto/sallyport/v1/link.pb.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::link {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds kRetryElsewhere{1};  // of a relay that stops before it has greeted

}  // namespace

asio::awaitable<std::optional<Refusal>> SessionOwner::admit(Peer) { co_return std::nullopt; }
void SessionOwner::on_go_away(Session&, const std::string&, std::chrono::milliseconds) {}

bool knows(const Peer& peer, std::string_view capability) {
  return std::ranges::find(peer.capabilities, capability) != peer.capabilities.end();
}

Session::Impl::Impl(Session& session, const asio::any_io_executor& on, std::unique_ptr<ByteStream> bytes,
                    SessionOptions settings, SessionOwner& works, const Clock& time)
    : self(session),
      executor(on),
      stream(std::move(bytes)),
      options(std::move(settings)),
      owner(works),
      clock(time),
      core(std::make_shared<LinkCore>(on, options.side, options.limits, time)),
      transfer(on, [this](const auto& task, const auto&) { end(LinkEnd::internal, "the link's " + task + " threw"); }),
      work(on, [this](const auto& task, const auto&) { end(LinkEnd::internal, "the link's " + task + " threw"); }),
      greeted(on),
      incoming(on),
      proof(on),
      written(on),
      silent(on) {}

void Session::Impl::end(LinkEnd why, std::string message, std::optional<Refusal> refusal) {
  core->end({why, std::move(message), std::move(refusal)});
  greeted.set();
  incoming.set();
  proof.set();
}

void Session::Impl::end_with_refusal(LinkEnd why, Refusal refusal) {
  if (core->ended.is_set()) return;
  send(make_refusal(refusal));
  last_word = true;
  auto message = refusal.message;
  end(why, std::move(message), std::move(refusal));
}

asio::awaitable<EndReason> Session::Impl::run() {
  transfer.spawn("reader", read_loop());
  transfer.spawn("writer", write_loop());
  work.spawn("handshake", handshake());
  co_await core->ended.wait();
  // The owner may have cancelled this coroutine; the loops have to be joined all the same.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  end(LinkEnd::stopped, "the session was cancelled");
  work.stop();
  co_await farewell();
  stream->close();
  transfer.stop();
  co_await transfer.join();
  co_await work.join();
  co_return core->why;
}

Session::Session(const asio::any_io_executor& executor, std::unique_ptr<ByteStream> stream, SessionOptions options,
                 SessionOwner& owner, const Clock& clock)
    : impl_(std::make_unique<Impl>(*this, executor, std::move(stream), std::move(options), owner, clock)) {}

Session::~Session() = default;

asio::awaitable<EndReason> Session::run() { return impl_->run(); }

const Peer& Session::peer() const { return impl_->peer; }

Result<Channel> Session::open_channel(std::string_view purpose) {
  auto& core = *impl_->core;
  if (core.ended.is_set()) return std::unexpected(core.ended_error());
  SP_TRY(const auto number, core.mux.open(purpose));
  core.wake_writer();
  return Channel(core.attach(number));
}

asio::awaitable<Result<Incoming>> Session::accept_channel() {
  auto& impl = *impl_;
  while (impl.backlog.empty()) {
    if (impl.core->ended.is_set()) co_return std::unexpected(impl.core->ended_error());
    impl.incoming.clear();
    co_await impl.incoming.wait();
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return fail(Errc::cancelled, "the wait for a channel was cancelled");
    }
  }
  Incoming next = std::move(impl.backlog.front());
  impl.backlog.pop_front();
  co_return next;
}

Result<void> Session::send_control(const v1::Control& message) {
  auto& core = *impl_->core;
  if (core.ended.is_set()) return std::unexpected(core.ended_error());
  auto outcome = core.mux.send_control(encode_control(message));
  core.wake_writer();
  return outcome;
}

void Session::pong(std::uint64_t nonce) {
  v1::Control message;
  message.mutable_pong()->set_nonce(nonce);
  impl_->send(message);
}

void Session::spawn(std::string name, asio::awaitable<void> task) {
  impl_->work.spawn(std::move(name), std::move(task));
}

bool Session::proven() const { return impl_->last_answered > 0; }
std::optional<std::chrono::milliseconds> Session::round_trip() const { return impl_->round_trip; }

asio::awaitable<Result<void>> Session::wait_until_proven() {
  auto& impl = *impl_;
  co_await impl.proof.wait();
  if (impl.core->ended.is_set()) co_return std::unexpected(impl.core->ended_error());
  if (!proven()) co_return fail(Errc::cancelled, "the wait for a round trip was cancelled");
  co_return Result<void>();
}

std::size_t Session::open_channels() const { return impl_->core->mux.open_channels(); }

std::uint64_t Session::carried_lately() const { return impl_->traffic.lately(impl_->clock.steady()); }

void Session::stop(std::string message) { impl_->end(LinkEnd::stopped, std::move(message)); }

void Session::refuse(Refusal refusal) { impl_->end_with_refusal(LinkEnd::refused_peer, std::move(refusal)); }

void Session::go_away(std::string reason, std::chrono::milliseconds drain) {
  if (!impl_->working) {
    if (impl_->options.side == mux::Side::agent) return stop(std::move(reason));
    return refuse({"overloaded", std::move(reason), kRetryElsewhere});
  }
  v1::Control message;
  message.mutable_go_away()->set_reason(std::move(reason));
  message.mutable_go_away()->set_drain_ms(static_cast<std::uint32_t>(drain.count()));
  impl_->send(message);
  impl_->begin_draining(drain);
}

bool Session::draining() const { return impl_->drain_until.has_value(); }
bool Session::ended() const { return impl_->core->ended.is_set(); }
const EndReason& Session::why() const { return impl_->core->why; }

}  // namespace sallyport::link
