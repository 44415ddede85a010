#pragma once

#include "shared/mux/block.h"
#include "shared/mux/frame.h"
#include "shared/mux/frame_writer.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::mux {

enum class Side { agent, relay };

struct MuxLimits {
  std::uint32_t initial_window = 64u << 10;  // bytes the peer may send on a new channel before it gets credit
  std::uint32_t max_window = 16u << 20;      // to which WindowPolicy may grow one channel
  std::size_t received = 64u << 20;          // sum of all windows: what a link can hold unread at the very most
  std::size_t channels = 1024;               // open at one time, both sides' together
  WriterLimits writer;

  // So much of `received` is kept for first windows, those of open channels included, whatever they have grown to.
  constexpr std::size_t kept_for_channels() const { return received / 4; }
};

// A channel's window. Asked whenever the reader has used up half of it, or an eighth of a large one (more than 2 MiB);
// gives the window it wants from now on. Mux holds it to the limits. The caller may measure time around it; Mux has no
// clock.
struct WindowUse {
  ChannelNumber channel = 0;
  std::uint32_t window = 0;
  std::uint64_t consumed = 0;  // bytes the user has read since the channel was opened
  std::uint32_t least = 0;     // less than this it never is
};
using WindowPolicy = std::function<std::uint32_t(const WindowUse&)>;
std::uint32_t keep_window(const WindowUse& use);  // the default: never changes

struct MuxEvent {
  enum class Kind {
    control,   // `payload` is one control message
    opened,    // the peer opened `channel`; `payload` is its purpose
    readable,  // there are bytes or an end to read
    offered,   // `payload` are bytes of a channel that wants them at once: see take_offered()
    broken,    // the peer reset `channel`: reads and writes give the reason
    writable,  // more credit: try to write again
  };
  Kind kind = Kind::control;
  ChannelNumber channel = 0;
  std::span<const std::byte> payload;  // valid until the next call of feed() or next()
};

// What reads and writes of the channel say.
Error reset_error(ChannelNumber number, const PeerReset& reset);

// Whether bytes that arrive are kept until they are read, or offered first, which saves a copy of what is taken then.
enum class Arrival { kept, offered };

// The channels of one link: numbers, credit, half-close, resets. Bytes of the wire go in by feed() and next(), come out
// by take_batch(). Whatever the peer must not do (docs/protocol.md P5, P6) is an error of next(), after which the link
// has to end. Memory is bounded by MuxLimits whatever the peer sends. No IO, no clock; not thread-safe.
//
// A direction of a channel ends once, by fin or by reset. A channel is forgotten when both directions have ended and
// its user has released it.
class Mux {
 public:
  explicit Mux(Side side, MuxLimits limits = {}, WindowPolicy policy = keep_window);

  // The handshake ended: channels may be opened. `peer_window` is the peer's initial_window.
  void start(std::uint32_t peer_window);
  // From now on the peer's opens are refused and open() fails.
  void stop_opening() { closing_ = true; }

  // --- the wire
  void feed(std::span<const std::byte> bytes) { reader_.feed(bytes); }  // rules of FrameReader::feed
  Result<std::optional<MuxEvent>> next();                               // nullopt: feed more
  void take_batch(Batch& out) { writer_.take_batch(out); }
  void take_batch(Bytes& out);  // in one piece
  bool has_output() const { return !writer_.empty(); }
  // After take_batch(): the next channel whose write() was cut short and may be tried again.
  std::optional<ChannelNumber> next_writable();
  std::size_t blocked() const { return blocked_.size(); }  // so many at the most

  // --- control messages
  Result<void> send_control(std::span<const std::byte> message);

  // --- channels; a number that is not known, or was released, is Errc::not_found
  // Data may follow at once; a refusal comes back as a reset. Errc::exhausted over the limits, unavailable while
  // closing.
  Result<ChannelNumber> open(std::string_view purpose);
  // Takes what credit and queue allow; 0: wait for `writable`. Errc::conflict after finish(); the peer's reset as
  // errc_of.
  Result<std::size_t> write(ChannelNumber channel, std::span<const std::byte> bytes);
  // The same without a copy: where the next `most` bytes at the most may be put, until the next call of any member, and
  // then how many were. The errors and the meaning of 0 are write()'s.
  Result<WriteRoom> prepare(ChannelNumber channel, std::size_t most);
  void commit(ChannelNumber channel, std::size_t count);
  Result<void> finish(ChannelNumber channel);
  // nullopt: nothing yet, wait for `readable`; 0: the peer finished. Bytes that came before a fin or reset are given
  // first.
  Result<std::optional<std::size_t>> read(ChannelNumber channel, std::span<std::byte> into);
  // The same without a copy: the bytes that read() would give, as far as they lie together, until the next call of any
  // member (empty: the peer finished), and then how many were used.
  Result<std::optional<std::span<const std::byte>>> peek(ChannelNumber channel) const;
  void consume(ChannelNumber channel, std::size_t count);
  void set_arrival(ChannelNumber channel, Arrival arrival);
  // For the payloads of one or more `offered` events of a channel, before anything else happens to it: the first
  // `taken` bytes have been used, the rest is kept for read().
  void take_offered(ChannelNumber channel, std::span<const std::span<const std::byte>> payloads, std::size_t taken);
  // True when read() would give bytes, an end or a reason.
  bool readable(ChannelNumber channel) const;
  bool has_finished(ChannelNumber channel) const;  // the peer, whatever is still to be read
  // The peer's reset, also when bytes before it are still to be read.
  std::optional<PeerReset> peer_reset(ChannelNumber channel) const;
  // Breaks off both directions, unless they have ended. What waits to be sent goes or not as `unsent` says, and always
  // when finish() promised it.
  void reset(ChannelNumber channel, ResetCode code, std::string_view text, Unsent unsent = Unsent::drop);
  // The user will not ask for this channel again. What has not ended is reset; after finish() all that was written
  // still goes.
  void release(ChannelNumber channel);

  std::size_t open_channels() const { return channels_.size(); }
  std::size_t received() const { return received_; }  // bytes nobody has read yet
  std::size_t promised() const { return promised_; }  // sum of all windows, <= MuxLimits::received
  std::size_t grown() const { return grown_; }        // how much of it is beyond the initial windows
  const FrameWriter& writer() const { return writer_; }
  // Gives back memory that has not been needed since the last call: call it now and then.
  void rest();

 private:
  struct Channel {
    explicit Channel(BlockPool& blocks) : unread(blocks) {}

    // sending
    std::uint64_t credit = 0;  // bytes the peer will still take
    bool sent_end = false;     // fin or reset went out
    bool blocked = false;      // write() was cut short
    // receiving
    BlockQueue unread;
    Arrival arrival = Arrival::kept;
    std::uint32_t window = 0;   // promised at the most
    std::uint32_t allowed = 0;  // bytes the peer may still send now
    std::uint64_t consumed = 0;
    bool got_end = false;     // fin or reset came in
    bool finished = false;    // by fin: what came before is the whole
    bool discarding = false;  // we reset: what still comes is dropped
    bool released = false;
    std::optional<PeerReset> broken;
  };
  using Channels = std::map<ChannelNumber, Channel>;

  Result<std::optional<MuxEvent>> receive(const Frame& frame);
  Result<std::optional<MuxEvent>> receive_open(const Frame& frame);
  Result<std::optional<MuxEvent>> receive_on(Channels::iterator at, const Frame& frame);
  Result<std::optional<MuxEvent>> receive_data(Channels::iterator at, const Frame& frame);
  Result<std::optional<MuxEvent>> receive_credit(Channels::iterator at, const Frame& frame);
  Result<std::optional<MuxEvent>> receive_fin(Channels::iterator at);
  Result<std::optional<MuxEvent>> receive_reset(Channels::iterator at, const Frame& frame);
  Result<std::optional<MuxEvent>> receive_on_closed(const Frame& frame) const;
  Result<std::optional<MuxEvent>> refuse(ChannelNumber number, ResetCode code, std::string_view text);

  bool opened_by_peer(ChannelNumber number) const;
  Channel& add(ChannelNumber number);
  Result<Channel*> writable_channel(ChannelNumber number);
  void note_blocked(ChannelNumber number, Channel& channel);
  void give_credit(ChannelNumber number, Channel& channel);
  std::size_t largest_window(const Channel& channel) const;
  void drop_unread(Channel& channel);
  void drop_window(Channel& channel);
  bool forget_if_over(Channels::iterator at);

  Side side_;
  MuxLimits limits_;
  WindowPolicy policy_;
  std::unique_ptr<BlockPool> blocks_ = std::make_unique<BlockPool>();
  FrameReader reader_;
  FrameWriter writer_;
  Channels channels_;
  std::vector<ChannelNumber> blocked_;  // in the order they were cut short
  std::uint32_t peer_window_ = 0;
  ChannelNumber next_own_;
  ChannelNumber last_peer_ = 0;
  std::size_t received_ = 0;
  std::size_t promised_ = 0;
  std::size_t grown_ = 0;
  bool started_ = false;
  bool closing_ = false;
  std::optional<Error> violated_;
};

}  // namespace sallyport::mux
