#include "agent/tunnel/connection.h"

#include "agent/platform/tcp_connect.h"

#include <utility>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Connection::Connection(const asio::any_io_executor& on, Target target, link::Channel channel, OnOver on_over)
    : target_(std::move(target)), channel_(std::move(channel)), socket_(on), on_over_(std::move(on_over)) {}

void Connection::dial(const tcp::endpoint& to, SteadyTime deadline) {
  channel_.watch(this);
  if (channel_.broken()) on_broken();
  error_code bad;
  if (!given_up_) socket_.open(to.protocol(), bad);
  if (!given_up_ && !bad) socket_.non_blocking(true, bad);
  if (given_up_ || bad) return connected(to, bad);
  socket_.async_connect(to, [self = shared_from_this(), to](error_code why) { self->connected(to, why); });
  deadline_ = std::make_unique<asio::steady_timer>(socket_.get_executor(), deadline);
  deadline_->async_wait([self = shared_from_this(), to](error_code cancelled) {
    if (!cancelled) self->give_up({Errc::timed_out, "no answer in time from " + to.address().to_string()});
  });
}

void Connection::dialled(Result<tcp::socket> socket) {
  if (!socket) return over(std::unexpected(std::move(socket).error()));
  socket_ = *std::move(socket);
  carry();
}

void Connection::stop() {
  if (carriage_) return carriage_->stop();
  give_up({Errc::cancelled, "the link ended while it was dialled"});
}

void Connection::on_broken() {
  const auto why = channel_.broken();
  give_up({Errc::cancelled, "not wanted any more: " + (why ? why->message : std::string())});
}

void Connection::fail(Error why) {
  if (!on_over_) return;
  channel_.watch(nullptr);
  deadline_.reset();
  error_code ignored;
  socket_.close(ignored);
  over(std::unexpected(std::move(why)));
}

// connected() is called then.
void Connection::give_up(Error why) {
  if (given_up_ || carriage_) return;
  given_up_ = std::make_unique<Error>(std::move(why));
  error_code ignored;
  socket_.close(ignored);
}

void Connection::connected(const tcp::endpoint& to, error_code bad) {
  if (!on_over_) return;
  channel_.watch(nullptr);
  deadline_.reset();
  if (!given_up_ && !bad) bad = platform::check_peer(socket_);
  if (!given_up_ && !bad) return carry();
  auto why =
      given_up_ ? std::move(*given_up_) : in_context(to.address().to_string(), platform::connect_error(bad)).error();
  over(in_context("connecting to " + to_string(target_), std::move(why)));
}

// Nobody above may take what is thrown here: it may be the loop that calls.
void Connection::carry() {
  if (auto ready = prepare(socket_); !ready) return over(std::unexpected(std::move(ready).error()));
  try {
    carriage_ = begin_splice(socket_, channel_, flow_, {}, [this](SpliceOutcome outcome) { over(std::move(outcome)); });
  } catch (const std::exception& fault) {
    over(std::unexpected(Error{Errc::internal, fault.what()}));
  }
}

void Connection::over(Result<SpliceOutcome> outcome) {
  const auto self = shared_from_this();
  std::exchange(on_over_, nullptr)(std::move(outcome));
}

}  // namespace sallyport::tunnel
