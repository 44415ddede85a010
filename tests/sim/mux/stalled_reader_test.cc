// One reader stops. What the other channels get is counted in bytes per turn of the wire, so that the machine's speed
// plays no part.
#include "shared/mux/mux.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <vector>

using namespace sallyport;

namespace {

constexpr int kChannels = 8;
constexpr int kTurns = 2'000;

// What a receiver does when a reader does not read: Mux, or the design it replaces, which has one queue for the link.
enum class Receiver { per_channel, one_queue };

// A sender with `kChannels` busy channels, and a receiver whose readers take everything at once, except one that may
// stand still.
class BusyLink {
 public:
  explicit BusyLink(Receiver receiver) : receiver_(receiver) {
    from_.start(mux::MuxLimits().initial_window);
    to_.start(mux::MuxLimits().initial_window);
    for (int i = 0; i < kChannels; ++i) channels_.push_back(from_.open("bulk/1").value());
    writers_ = channels_;
    turn();
    stalled_ = channels_.front();
  }

  void stall() { stalls_ = true; }
  void turns(int count) {
    for (int i = 0; i < count; ++i) turn();
  }
  std::uint64_t got_by_others() const {
    std::uint64_t sum = 0;
    for (const auto& [channel, bytes] : got_) sum += channel == stalled_ ? 0 : bytes;
    return sum;
  }
  std::pair<std::uint64_t, std::uint64_t> least_and_most() const {  // of the others
    std::pair<std::uint64_t, std::uint64_t> range{UINT64_MAX, 0};
    for (const auto& [channel, bytes] : got_) {
      if (channel == stalled_) continue;
      range = {std::min(range.first, bytes), std::max(range.second, bytes)};
    }
    return range;
  }
  std::uint64_t got_by_stalled() const { return got_.contains(stalled_) ? got_.at(stalled_) : 0; }
  void resume() { stalls_ = false; }
  std::size_t held() const { return std::max(held_, waiting_.size()); }  // the most that lay with the receiver
  std::size_t queued() const { return queued_; }                         // the most that waited with the sender

 private:
  void turn() {
    static const Bytes kChunk(64u << 10, std::byte{7});
    std::ranges::rotate(writers_, std::next(writers_.begin()));  // no writer is always the first
    for (const auto channel : writers_) {
      while (*from_.write(channel, kChunk) == kChunk.size()) {
      }
    }
    queued_ = std::max(queued_, from_.writer().queued());
    while (from_.next_writable()) {
    }
    from_.take_batch(batch_);
    waiting_.insert(waiting_.end(), batch_.begin(), batch_.end());
    if (receiver_ == Receiver::per_channel || !stalls_ || !holds_stalled_data()) {
      to_.feed(waiting_);
      drain(to_);
      waiting_.clear();
    }
    for (const auto channel : channels_) read_all(channel);
    held_ = std::max(held_, to_.received());
    to_.take_batch(batch_);
    from_.feed(batch_);
    drain(from_);
  }
  static void drain(mux::Mux& end) {
    for (;;) {
      const auto event = end.next();
      REQUIRE(event);
      if (!*event) return;
    }
  }
  // One queue: what is for the reader that stands still holds up everything behind it.
  bool holds_stalled_data() const { return to_.received() > 0; }
  void read_all(mux::ChannelNumber channel) {
    if (stalls_ && channel == stalled_) return;
    Bytes into(64u << 10);
    for (;;) {
      const auto count = to_.read(channel, into);
      if (!count || !*count || **count == 0) return;
      got_[channel] += **count;
    }
  }

  Receiver receiver_;
  mux::Mux from_{mux::Side::agent}, to_{mux::Side::relay};
  std::vector<mux::ChannelNumber> channels_, writers_;
  mux::ChannelNumber stalled_ = 0;
  bool stalls_ = false;
  std::map<mux::ChannelNumber, std::uint64_t> got_;
  Bytes batch_, waiting_;
  std::size_t held_ = 0, queued_ = 0;
};

// What the others get while one stands still, in parts of what they got before.
double share_kept(BusyLink& link) {
  link.turns(kTurns);
  const auto before = link.got_by_others();
  link.stall();
  link.turns(kTurns);
  return static_cast<double>(link.got_by_others() - before) / static_cast<double>(before);
}

}  // namespace

TEST_CASE("a reader that stands still takes nothing from the other channels, and a bounded place",
          "[sim][mux][stall]") {
  BusyLink link(Receiver::per_channel);
  CHECK(share_kept(link) >= 1.0);
  const auto [least, most] = link.least_and_most();
  CHECK(static_cast<double>(least) >= 0.8 * static_cast<double>(most));
  CHECK(link.held() <= mux::MuxLimits().initial_window);
  CHECK(link.queued() <= mux::WriterLimits().queue);

  const auto stalled = link.got_by_stalled();
  link.resume();
  link.turns(kTurns);
  CHECK(link.got_by_stalled() - stalled >= mux::MuxLimits().initial_window);
}

TEST_CASE("positive control: with one queue for the link the others stand still too", "[sim][mux][stall]") {
  BusyLink link(Receiver::one_queue);
  CHECK(share_kept(link) < 0.8);
}
