#pragma once

#include "shared/mux/batch.h"
#include "shared/mux/block.h"
#include "shared/mux/frame.h"

#include <boost/container/flat_map.hpp>

#include <array>
#include <list>
#include <map>
#include <string>
#include <vector>

namespace sallyport::mux {

struct WriterLimits {
  std::size_t control = 256u << 10;  // bytes of control messages that wait
  std::size_t queue = 512u << 10;    // bytes of data that wait, all channels together
  std::size_t channel = 256u << 10;  // bytes of data that wait, one channel
  std::size_t batch = 128u << 10;    // bytes given out for one write, headers included; any frame has to fit
};

// Where the next bytes of a channel may be put: in this order, and then commit() says how many.
struct WriteRoom {
  static constexpr std::size_t kParts = 4;
  std::array<std::span<std::byte>, kParts> parts;  // those that are not empty come first
  std::size_t size = 0;                            // of all of them
};

// What waits to be written on one link, and in which order it goes: control messages first, then whole channels that
// have little to say, then up to four full data frames (64 KiB) per channel and turn, round-robin. Within a channel the
// order is always open, data, fin. No IO, no clock; who may send how much is the Mux's business.
class FrameWriter {
 public:
  FrameWriter(BlockPool& blocks, WriterLimits limits) : blocks_(&blocks), limits_(limits) {}

  // Errc::exhausted when the peer does not read what it asked for.
  Result<void> control(std::span<const std::byte> message);
  void open(ChannelNumber channel, std::string_view purpose);
  // Takes what fits in the bounds, and says how much; an empty answer means: after a batch was taken.
  std::size_t data(ChannelNumber channel, std::span<const std::byte> bytes);
  // The same without a copy: room for `most` bytes at the most, as far as the bounds allow, which stays until the next
  // call of any member; then how many were put there.
  WriteRoom prepare(ChannelNumber channel, std::size_t most);
  void commit(ChannelNumber channel, std::size_t count);
  void credit(ChannelNumber channel, std::uint32_t bytes);  // adds to a credit that still waits
  void fin(ChannelNumber channel);                          // after all data
  // Without a fin, `unsent` says what becomes of the data that waits.
  void reset(ChannelNumber channel, ResetCode code, std::string_view text, Unsent unsent = Unsent::drop);

  // Fills `out` with the next frames, WriterLimits::batch bytes at most; empty when nothing waits.
  void take_batch(Batch& out);

  bool empty() const { return control_.empty() && credits_.empty() && opens_.empty() && flows_.empty(); }
  std::size_t queued() const { return queued_; }  // bytes of data that wait
  std::size_t queued(ChannelNumber channel) const;
  std::size_t room() const { return limits_.queue - queued_; }
  std::size_t waiting_channels() const { return flows_.size() + credits_.size() + opens_.size(); }
  void rest();  // gives up what is kept at hand for the next bytes

 private:
  struct Flow {
    explicit Flow(BlockPool& blocks) : data(blocks) {}
    BlockQueue data;
    bool fin = false;
    std::optional<ResetCode> reset;
    std::string reset_text;
  };
  struct Opening {
    ChannelNumber channel;
    std::string purpose;
  };
  using Flows = std::map<ChannelNumber, Flow>;

  Flow& flow(ChannelNumber channel);
  void end_flow(ChannelNumber channel);
  std::size_t room_for(ChannelNumber channel) const;
  void take_control(Batch& out, std::size_t end);
  void take_credits(Batch& out, std::size_t end);
  void take_small(Batch& out, std::size_t end);
  void take_bulk(Batch& out, std::size_t end);
  bool take_opens(Batch& out, std::size_t end);
  std::size_t take_data(ChannelNumber channel, Flow& flow, Batch& out, std::size_t end);
  bool take_tail(ChannelNumber channel, Flow& flow, Batch& out, std::size_t end);

  BlockPool* blocks_;
  WriterLimits limits_;
  // Lists, because a deque holds half a KiB while it is empty, as on an idle link all of them are.
  std::list<Bytes> control_;
  std::size_t control_bytes_ = 0;
  boost::container::flat_map<ChannelNumber, std::uint32_t> credits_;
  std::list<Opening> opens_;                   // in the order of their numbers, which the peer insists on
  Flows flows_;                                // only channels with something to write
  std::vector<Flows::node_type> spare_flows_;  // a few that have ended, for those that begin: both happen all the time
  std::vector<ChannelNumber> small_;           // in the order of their turns, as the next
  std::vector<ChannelNumber> bulk_;
  std::size_t queued_ = 0;
  // The same blocks are shown until bytes have been put into them.
  std::array<BlockPool::Owned, WriteRoom::kParts> spare_;
};

}  // namespace sallyport::mux
