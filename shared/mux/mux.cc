#include "shared/mux/mux.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sallyport::mux {
namespace {

constexpr ChannelNumber kLastNumber = std::numeric_limits<ChannelNumber>::max() - 2;
constexpr std::uint32_t kWorthAFrame = 256u << 10;  // of credit, whatever the window

// What may be used up before it is granted again. Half a window keeps frames few and a short line busy; on a long line
// what is not granted is not on its way either, and it is an eighth.
std::uint32_t most_ungranted(std::uint32_t window) { return std::min(window / 2, std::max(window / 8, kWorthAFrame)); }

std::unexpected<Error> unknown(ChannelNumber number) {
  return fail(Errc::not_found, fmt::format("no channel {} on this link", number));
}

}  // namespace

Error reset_error(ChannelNumber number, const PeerReset& reset) {
  return {errc_of(reset.code),
          fmt::format("channel {} was reset by the other side ({}): {}", number, to_string(reset.code), reset.text)};
}

std::uint32_t keep_window(const WindowUse& use) { return use.window; }

Mux::Mux(Side side, MuxLimits limits, WindowPolicy policy)
    : side_(side),
      limits_(limits),
      policy_(std::move(policy)),
      writer_(*blocks_, limits.writer),
      next_own_(side == Side::agent ? 1 : 2) {}

void Mux::start(std::uint32_t peer_window) {
  peer_window_ = peer_window;
  started_ = true;
}

Result<void> Mux::send_control(std::span<const std::byte> message) { return writer_.control(message); }

Mux::Channel& Mux::add(ChannelNumber number) {
  auto& channel = channels_.try_emplace(number, *blocks_).first->second;
  channel.credit = peer_window_;
  channel.window = channel.allowed = limits_.initial_window;
  promised_ += channel.window;
  return channel;
}

Result<ChannelNumber> Mux::open(std::string_view purpose) {
  if (!started_) return fail(Errc::unavailable, "the link's handshake has not ended");
  if (closing_) return fail(Errc::unavailable, "the link is draining and opens no channel any more");
  if (purpose.empty() || purpose.size() > kMaxText)
    return fail(Errc::invalid, "a channel's purpose has 1 to 255 bytes");
  if (next_own_ > kLastNumber) {
    return fail(Errc::exhausted, "the link has no channel number left; a new link has");
  }
  if (channels_.size() >= limits_.channels || promised_ + limits_.initial_window > limits_.received) {
    return fail(Errc::exhausted, fmt::format("the link has {} channels open and takes no more", channels_.size()));
  }
  const auto number = next_own_;
  next_own_ += 2;
  add(number);
  writer_.open(number, purpose);
  return number;
}

Result<Mux::Channel*> Mux::writable_channel(ChannelNumber number) {
  const auto at = channels_.find(number);
  if (at == channels_.end() || at->second.released) return unknown(number);
  auto& channel = at->second;
  if (channel.broken) return std::unexpected(reset_error(number, *channel.broken));
  if (channel.sent_end) return fail(Errc::conflict, fmt::format("channel {} was finished before this write", number));
  return &channel;
}

void Mux::note_blocked(ChannelNumber number, Channel& channel) {
  if (channel.credit == 0 || channel.blocked) return;
  channel.blocked = true;
  blocked_.push_back(number);
}

Result<std::size_t> Mux::write(ChannelNumber number, std::span<const std::byte> bytes) {
  SP_TRY(auto* const channel, writable_channel(number));
  const auto count = writer_.data(number, bytes.first(std::min<std::uint64_t>(bytes.size(), channel->credit)));
  channel->credit -= count;
  if (count < bytes.size()) note_blocked(number, *channel);
  return count;
}

Result<WriteRoom> Mux::prepare(ChannelNumber number, std::size_t most) {
  SP_TRY(auto* const channel, writable_channel(number));
  auto room = writer_.prepare(number, std::min<std::uint64_t>(most, channel->credit));
  if (room.size == 0) note_blocked(number, *channel);
  return room;
}

void Mux::commit(ChannelNumber number, std::size_t count) {
  const auto at = channels_.find(number);
  if (at == channels_.end()) return;
  writer_.commit(number, count);
  at->second.credit -= count;
}

void Mux::take_batch(Bytes& out) {
  Batch batch;
  writer_.take_batch(batch);
  out = joined(batch);
}

std::optional<ChannelNumber> Mux::next_writable() {
  while (!blocked_.empty() && writer_.room() > 0) {
    const auto number = blocked_.front();
    blocked_.erase(blocked_.begin());
    const auto at = channels_.find(number);
    if (at == channels_.end() || !at->second.blocked) continue;
    at->second.blocked = false;
    return number;
  }
  return std::nullopt;
}

Result<void> Mux::finish(ChannelNumber number) {
  const auto at = channels_.find(number);
  if (at == channels_.end() || at->second.released) return unknown(number);
  auto& channel = at->second;
  if (channel.broken) return std::unexpected(reset_error(number, *channel.broken));
  if (channel.sent_end) return {};
  channel.sent_end = true;
  writer_.fin(number);
  return {};
}

Result<std::optional<std::size_t>> Mux::read(ChannelNumber number, std::span<std::byte> into) {
  SP_TRY(const auto bytes, peek(number));
  if (!bytes) return std::nullopt;
  std::size_t count = 0;
  for (auto front = *bytes; !front.empty() && count < into.size(); front = channels_.at(number).unread.front()) {
    const auto part = std::min(front.size(), into.size() - count);
    std::copy_n(front.begin(), part, into.begin() + static_cast<std::ptrdiff_t>(count));
    consume(number, part);
    count += part;
  }
  return count;
}

Result<std::optional<std::span<const std::byte>>> Mux::peek(ChannelNumber number) const {
  const auto at = channels_.find(number);
  if (at == channels_.end() || at->second.released) return unknown(number);
  const auto& channel = at->second;
  if (!channel.unread.empty()) return channel.unread.front();
  if (channel.discarding) return fail(Errc::cancelled, fmt::format("channel {} was reset by this side", number));
  if (channel.finished) return std::span<const std::byte>();
  if (channel.broken) return std::unexpected(reset_error(number, *channel.broken));
  return std::nullopt;
}

void Mux::consume(ChannelNumber number, std::size_t count) {
  const auto at = channels_.find(number);
  if (at == channels_.end() || count == 0) return;
  auto& channel = at->second;
  channel.unread.drop(count);
  received_ -= count;
  channel.consumed += count;
  give_credit(number, channel);
}

void Mux::set_arrival(ChannelNumber number, Arrival arrival) {
  if (const auto at = channels_.find(number); at != channels_.end()) at->second.arrival = arrival;
}

void Mux::take_offered(ChannelNumber number, std::span<const std::span<const std::byte>> payloads, std::size_t taken) {
  const auto at = channels_.find(number);
  const bool is_kept = at != channels_.end() && !at->second.discarding;
  for (auto left = taken; const auto payload : payloads) {
    const auto used = std::min(left, payload.size());
    left -= used;
    received_ -= is_kept ? used : payload.size();
    if (is_kept) at->second.unread.append(payload.subspan(used));
  }
  if (!is_kept) return;
  auto& channel = at->second;
  channel.consumed += taken;
  give_credit(number, channel);
}

// A channel may have grown by as much as is free for others to grow by, so that one alone gets half, n share what there
// is, and who grew before gives back when others come (the dynamic thresholds of Choudhury and Hahne, IEEE/ACM
// Transactions on Networking 6(2), 1998). What open channels have initially, and what is kept for further ones, is not
// there to grow into.
std::size_t Mux::largest_window(const Channel& channel) const {
  const auto initial = std::max(promised_ - grown_, limits_.kept_for_channels());
  const auto for_growth = limits_.received - std::min(limits_.received, initial);
  const auto free = for_growth - std::min(for_growth, grown_);
  const auto own = channel.window - std::min(channel.window, limits_.initial_window);
  return limits_.initial_window + (own + free) / 2;
}

// What was granted cannot be taken back, so a window shrinks by what is not granted again.
void Mux::give_credit(ChannelNumber number, Channel& channel) {
  if (channel.got_end || channel.discarding) return;
  const auto held = channel.allowed + static_cast<std::uint32_t>(channel.unread.size());
  if (channel.window - held < most_ungranted(channel.window)) return;
  const std::size_t wanted = policy_({number, channel.window, channel.consumed, limits_.initial_window});
  const auto most = std::min<std::size_t>(limits_.max_window, largest_window(channel));
  const auto window = static_cast<std::uint32_t>(
      std::max({std::min(wanted, most), std::size_t{limits_.initial_window}, std::size_t{held}}));
  promised_ = promised_ - channel.window + window;
  grown_ = grown_ - (channel.window - limits_.initial_window) + (window - limits_.initial_window);
  channel.window = window;
  if (window == held) return;
  channel.allowed += window - held;
  writer_.credit(number, window - held);
}

void Mux::drop_unread(Channel& channel) {
  received_ -= channel.unread.size();
  channel.unread.clear();
}

void Mux::drop_window(Channel& channel) {
  promised_ -= channel.window;
  if (channel.window > limits_.initial_window) grown_ -= channel.window - limits_.initial_window;
  channel.window = 0;
}

void Mux::rest() {
  writer_.rest();
  blocks_->rest();
  blocked_.shrink_to_fit();
}

bool Mux::readable(ChannelNumber number) const {
  const auto at = channels_.find(number);
  if (at == channels_.end() || at->second.released) return true;
  const auto& channel = at->second;
  return !channel.unread.empty() || channel.finished || channel.discarding || channel.broken;
}

bool Mux::has_finished(ChannelNumber number) const {
  const auto at = channels_.find(number);
  return at != channels_.end() && at->second.finished;
}

std::optional<PeerReset> Mux::peer_reset(ChannelNumber number) const {
  const auto at = channels_.find(number);
  return at == channels_.end() ? std::nullopt : at->second.broken;
}

void Mux::reset(ChannelNumber number, ResetCode code, std::string_view text, Unsent unsent) {
  const auto at = channels_.find(number);
  if (at == channels_.end()) return;
  auto& channel = at->second;
  if (channel.discarding) return;
  channel.discarding = true;
  drop_unread(channel);
  drop_window(channel);  // what still comes is dropped on arrival
  if (channel.sent_end && channel.got_end) return;
  channel.sent_end = true;
  writer_.reset(number, code, text, unsent);
}

void Mux::release(ChannelNumber number) {
  const auto at = channels_.find(number);
  if (at == channels_.end() || at->second.released) return;
  reset(number, ResetCode::cancelled, "the user of the channel went away");
  at->second.released = true;
  forget_if_over(at);
}

bool Mux::forget_if_over(Channels::iterator at) {
  auto& channel = at->second;
  if (!channel.released || !channel.sent_end || !channel.got_end) return false;
  drop_window(channel);
  channels_.erase(at);
  return true;
}

}  // namespace sallyport::mux
