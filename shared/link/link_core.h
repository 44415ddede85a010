#pragma once

#include "shared/async/event.h"
#include "shared/link/link_end.h"
#include "shared/mux/message.h"
#include "shared/mux/mux.h"
#include "shared/mux/window_growth.h"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>

namespace sallyport::link {

struct LinkCore;

class ChannelWatcher;

// What a Channel handle shares with operations under way.
struct ChannelState {
  // What coroutines of this channel wait for; there from the first wait on.
  struct Waits {
    explicit Waits(const boost::asio::any_io_executor& on) : readable(on), writable(on), broken(on), sender_gone(on) {}
    Event readable;
    Event writable;
    Event broken;       // the peer reset the channel, or the link ended
    Event sender_gone;  // the message that was being sent is through
  };

  ChannelState(std::shared_ptr<LinkCore> link, mux::ChannelNumber channel) : core(std::move(link)), number(channel) {}
  Waits& waits();
  void became_readable();
  void became_writable();
  void became_broken();

  std::shared_ptr<LinkCore> core;
  mux::ChannelNumber number;
  bool sending = false;               // a message is being sent
  ChannelWatcher* watcher = nullptr;  // hears it all besides
  std::unique_ptr<Waits> waiting;
  mux::MessageReader messages;
};

// What a session and its channels share, so that a handle may outlive its session. The clock need not: it is not asked
// once the link has ended. Single executor.
struct LinkCore : std::enable_shared_from_this<LinkCore> {
  LinkCore(const boost::asio::any_io_executor& on, mux::Side side, mux::MuxLimits limits, const Clock& clock);

  std::shared_ptr<ChannelState> attach(mux::ChannelNumber number);
  void release(mux::ChannelNumber number);
  // Records the reason if it is the first, and wakes everybody who waits on this link.
  void end(EndReason reason);
  // Bytes of `offered` events of one channel to its watcher.
  enum class Following { perhaps, nothing };
  void hand_over(mux::ChannelNumber number, std::span<const std::span<const std::byte>> bytes, Following following);
  void wake_writer();   // if there is something to write
  void wake_blocked();  // after a batch was taken
  std::shared_ptr<ChannelState> find(mux::ChannelNumber number) const;
  Error ended_error() const;

  boost::asio::any_io_executor executor;
  mux::WindowGrowth growth;
  mux::Mux mux;
  Event output;
  Event ended;
  Event channels_changed;  // a channel went away
  EndReason why;
  std::map<mux::ChannelNumber, std::weak_ptr<ChannelState>> attached;
};

}  // namespace sallyport::link
