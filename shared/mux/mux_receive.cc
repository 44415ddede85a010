#include "shared/mux/mux.h"

#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <limits>

// What the peer's frames do, and what they must not do (docs/protocol.md P5, P6).
namespace sallyport::mux {
namespace {

using Event = Result<std::optional<MuxEvent>>;

std::unexpected<Error> violation(std::string_view rule, const std::string& what) {
  return fail(Errc::invalid, fmt::format("{}: {}", rule, what));
}

std::string in_log(std::string_view text) {
  std::string clean;
  for (const char c : text) clean += static_cast<unsigned char>(c) >= ' ' && c != 0x7f ? c : '?';
  return is_valid_utf8(clean) && !steers_text(clean) ? clean : "(not text)";
}

}  // namespace

Event Mux::next() {
  if (violated_) return std::unexpected(*violated_);
  for (;;) {
    auto frame = reader_.next();
    if (frame && !*frame) return std::nullopt;
    auto event = frame ? receive(**frame) : Event(std::unexpected(frame.error()));
    if (!event) violated_ = event.error();
    if (!event || *event) return event;
  }
}

Event Mux::receive(const Frame& frame) {
  if ((frame.type == FrameType::control) != (frame.channel == kControlChannel)) {
    return violation("P4.4", "channel 0 is for control messages, and they are for channel 0");
  }
  if (frame.type == FrameType::control) return MuxEvent{MuxEvent::Kind::control, kControlChannel, frame.payload};
  if (!started_) return violation("P3.4", "a channel before the handshake ended");
  if (frame.type == FrameType::open) return receive_open(frame);
  const auto at = channels_.find(frame.channel);
  return at == channels_.end() ? receive_on_closed(frame) : receive_on(at, frame);
}

bool Mux::opened_by_peer(ChannelNumber number) const { return (number % 2 == 1) == (side_ == Side::relay); }

Event Mux::receive_open(const Frame& frame) {
  if (!opened_by_peer(frame.channel)) {
    return violation("P5.1", fmt::format("the other side opened channel {}, a number of this side", frame.channel));
  }
  if (frame.channel <= last_peer_) {
    return violation("P5.2", fmt::format("channel {} was opened after channel {}", frame.channel, last_peer_));
  }
  if (!is_valid_utf8(as_text(frame.payload))) return violation("P5.3", "a purpose that is not UTF-8");
  // Refused channels stay known until the peer ends them, and a reset may wait for a peer that does not read.
  if (channels_.size() >= 2 * limits_.channels || writer_.waiting_channels() >= 4 * limits_.channels) {
    return violation("P5.5", fmt::format("{} channels opened without regard to refusals", channels_.size()));
  }
  last_peer_ = frame.channel;
  if (closing_) return refuse(frame.channel, ResetCode::shutting_down, "this side is draining the link");
  if (channels_.size() >= limits_.channels || promised_ + limits_.initial_window > limits_.received) {
    return refuse(frame.channel, ResetCode::exhausted, "too many channels on this link");
  }
  add(frame.channel);
  return MuxEvent{MuxEvent::Kind::opened, frame.channel, frame.payload};
}

Event Mux::refuse(ChannelNumber number, ResetCode code, std::string_view text) {
  auto& channel = add(number);
  channel.released = true;
  reset(number, code, text);
  return std::nullopt;
}

Event Mux::receive_on(Channels::iterator at, const Frame& frame) {
  auto& channel = at->second;
  const bool nothing_may_follow =
      channel.broken || (channel.got_end && (frame.type == FrameType::data || frame.type == FrameType::fin));
  if (nothing_may_follow) {
    return violation(
        "P5.6", fmt::format("a frame of type {} on channel {} after its end", static_cast<int>(frame.type), at->first));
  }
  switch (frame.type) {
    case FrameType::data: return receive_data(at, frame);
    case FrameType::credit: return receive_credit(at, frame);
    case FrameType::fin: return receive_fin(at);
    case FrameType::reset: return receive_reset(at, frame);
    case FrameType::control:
    case FrameType::open: break;
  }
  return fail(Errc::internal, "a frame type that is handled before");
}

Event Mux::receive_data(Channels::iterator at, const Frame& frame) {
  auto& channel = at->second;
  if (frame.payload.size() > channel.allowed) {
    return violation("P6.2", fmt::format("{} bytes on channel {} with a credit of {}", frame.payload.size(), at->first,
                                         channel.allowed));
  }
  channel.allowed -= static_cast<std::uint32_t>(frame.payload.size());
  if (channel.discarding) return std::nullopt;
  received_ += frame.payload.size();
  if (channel.arrival == Arrival::offered && channel.unread.empty() && !channel.released) {
    return MuxEvent{MuxEvent::Kind::offered, at->first, frame.payload};
  }
  channel.unread.append(frame.payload);
  return MuxEvent{MuxEvent::Kind::readable, at->first, {}};
}

Event Mux::receive_credit(Channels::iterator at, const Frame& frame) {
  auto& channel = at->second;
  const auto bytes = read_u32(frame.payload.first<4>());
  if (bytes == 0 || channel.credit + bytes > std::numeric_limits<std::uint32_t>::max()) {
    return violation("P6.3",
                     fmt::format("a credit of {} on top of {} on channel {}", bytes, channel.credit, at->first));
  }
  channel.credit += bytes;
  if (channel.released || channel.sent_end) return std::nullopt;
  return MuxEvent{MuxEvent::Kind::writable, at->first, {}};
}

Event Mux::receive_fin(Channels::iterator at) {
  const auto number = at->first;
  at->second.got_end = true;
  at->second.finished = true;
  if (forget_if_over(at)) return std::nullopt;
  return MuxEvent{MuxEvent::Kind::readable, number, {}};
}

Event Mux::receive_reset(Channels::iterator at, const Frame& frame) {
  auto& channel = at->second;
  const auto number = at->first;
  const auto code = static_cast<ResetCode>(read_u32(frame.payload.first<4>()));
  channel.broken = PeerReset{code, in_log(as_text(frame.payload.subspan(4)))};
  channel.got_end = true;
  // Our own direction ends too: the peer waits for that before it forgets the number.
  if (!channel.sent_end) writer_.reset(number, ResetCode::cancelled, "answers a reset");
  channel.sent_end = true;
  if (forget_if_over(at)) return std::nullopt;
  return MuxEvent{MuxEvent::Kind::broken, number, {}};
}

// Credit and reset may cross with the end of a channel; everything else comes from a confused peer.
Event Mux::receive_on_closed(const Frame& frame) const {
  const bool used = opened_by_peer(frame.channel) ? frame.channel <= last_peer_ : frame.channel < next_own_;
  const bool may_cross = frame.type == FrameType::credit || frame.type == FrameType::reset;
  if (used && may_cross) return std::nullopt;
  return violation("P5.4", fmt::format("a frame of type {} on channel {}, which is not open",
                                       static_cast<int>(frame.type), frame.channel));
}

}  // namespace sallyport::mux
