#pragma once

#include "shared/base/value.h"
#include "shared/mux/frame_writer.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace sallyport::link {

struct ChannelState;

// Hears at once what happens to a channel, in place of a coroutine that waits for it. Called on the link's executor
// from within its loops: what it does there is short, does not throw, and does not destroy the channel. It may use the
// channel otherwise.
class ChannelWatcher {
 public:
  static constexpr std::size_t kMostPieces = 12;
  virtual ~ChannelWatcher() = default;
  // Bytes that came while nothing was unread, in kMostPieces pieces at the most. Gives how many of them it took; the
  // others it finds with peek().
  virtual std::size_t on_bytes(std::span<const std::span<const std::byte>> bytes) = 0;
  // The same, and nothing follows them: on_readable() is called next.
  virtual std::size_t on_last_bytes(std::span<const std::span<const std::byte>> bytes) { return on_bytes(bytes); }
  virtual void on_readable() = 0;  // there is something else to peek() at, such as an end
  virtual void on_writable() = 0;  // prepare() may give room again
  virtual void on_broken() = 0;    // the other side has reset the channel, or the link has ended
};

// One numbered byte flow of a link, half-closable like TCP. The handle may outlive its session: operations then say
// Errc::unavailable. Dropping it without finish() resets the channel; after finish() all that was written still goes.
// Lives on the session's executor. One reader and any number of message senders at a time; raw writes are one at a
// time. Operations wait for credit as long as it takes (the link's heartbeat bounds that): put with_deadline() around
// where less is wanted. Cancelling one gives Errc::cancelled; a write that was cancelled half-way leaves the channel
// reset.
class Channel {
 public:
  explicit Channel(std::shared_ptr<ChannelState> state) : state_(std::move(state)) {}
  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel();

  mux::ChannelNumber number() const;

  // 0: the other side finished. A reset is an error with its text.
  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) const;
  // True when read_some() would not wait.
  bool readable() const;
  // Returns when it would not. For readers that hold no buffer while nothing comes.
  boost::asio::awaitable<Result<void>> wait_readable() const;
  // Returns when all bytes are in the link's bounded queue. The caller keeps `bytes` alive.
  boost::asio::awaitable<Result<void>> write(std::span<const std::byte> bytes) const;
  Result<void> finish() const;  // no byte follows; the other direction stays open
  void reset(mux::ResetCode code, std::string_view text, mux::Unsent unsent = mux::Unsent::drop) const;
  // Returns when the other side has reset the channel or the link has ended: at once, whatever still lies unread
  // before that. Gives the reason; Errc::cancelled when it was cancelled.
  boost::asio::awaitable<Error> wait_broken() const;
  // --- for one watcher, without waiting. It is told from now on; nullptr: nobody is. It is no longer told when the
  // handle dies.
  void watch(ChannelWatcher* watcher) const;
  // The next bytes, until the next call of any member (empty: the other side finished); nullopt: none are there yet.
  Result<std::optional<std::span<const std::byte>>> peek() const;
  void consume(std::size_t count) const;  // at most what peek() gave
  // Where `most` bytes at the most may be put now, until the next call of any member, and then how many were. Size 0:
  // on_writable() tells when there is room again.
  Result<mux::WriteRoom> prepare(std::size_t most) const;
  void commit(std::size_t count) const;
  // Why the channel is broken; nullopt: it is not.
  std::optional<Error> broken() const;

  // The other side's reset; nullopt also when it was this side's, or the link ended.
  std::optional<mux::PeerReset> peer_reset() const;

  // A message is a serialised protobuf, at most 1 MiB, never mixed with another one (docs/protocol.md P9).
  boost::asio::awaitable<Result<void>> send_message(std::string message) const;
  // nullopt: the other side finished. Do not mix with read_some().
  boost::asio::awaitable<Result<std::optional<Bytes>>> receive_message() const;

 private:
  std::shared_ptr<ChannelState> state_;
};

}  // namespace sallyport::link
