#pragma once

#include "shared/base/clock.h"
#include "shared/link/channel.h"
#include "shared/tunnel/purpose.h"
#include "shared/tunnel/splice.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>

namespace sallyport::tunnel {

// The agent's end of one connection: from the dial of its target, for as long as the channel is not broken, until both
// sides have ended. Calls `on_over` once, from the loop: an error when the target was not reached (timed_out,
// exhausted, unavailable, or cancelled when it was not wanted any more), and the channel is to be reset then. Lives on
// the channel's executor, until then.
class Connection final : public std::enable_shared_from_this<Connection>, private link::ChannelWatcher {
 public:
  using OnOver = std::move_only_function<void(Result<SpliceOutcome>)>;
  Connection(const boost::asio::any_io_executor& on, Target target, link::Channel channel, OnOver on_over);

  // Either: one attempt at one address, which is the target's.
  void dial(const boost::asio::ip::tcp::endpoint& to, SteadyTime deadline);
  // Or: what a dial elsewhere came to.
  void dialled(Result<boost::asio::ip::tcp::socket> socket);
  // Ends what dial() or dialled() began, with a reset.
  void stop();
  // After a fault: the target is not reached, whatever is under way. Calls `on_over` at once unless it was called.
  void fail(Error why);

  const Target& target() const { return target_; }
  const link::Channel& channel() const { return channel_; }
  const Flow& flow() const { return flow_; }

 private:
  std::size_t on_bytes(std::span<const std::span<const std::byte>>) override { return 0; }
  void on_readable() override {}
  void on_writable() override {}
  void on_broken() override;  // while it is dialled

  void give_up(Error why);
  void connected(const boost::asio::ip::tcp::endpoint& to, boost::system::error_code bad);
  void carry();
  void over(Result<SpliceOutcome> outcome);

  Target target_;
  link::Channel channel_;
  boost::asio::ip::tcp::socket socket_;
  Flow flow_;
  std::unique_ptr<boost::asio::steady_timer> deadline_;  // of the dial
  std::unique_ptr<Error> given_up_;
  std::shared_ptr<Carriage> carriage_;
  OnOver on_over_;
};

}  // namespace sallyport::tunnel
