#include "shared/mux/frame_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::mux {
namespace {

// A channel with no more than this waiting goes before bulk.
constexpr std::size_t kSmall = 2u << 10;
// Less than this at the end of a block is no place to read a socket into.
constexpr std::size_t kLeastRoom = 4u << 10;
// Of a bulk channel before another has its turn.
constexpr std::size_t kTurn = 4 * kDataPayload;
constexpr std::size_t kLargestFlowFrame = kHeaderSize + 4 + kMaxText;
constexpr std::size_t kSpareFlows = 8;

void append_credit(Batch& out, ChannelNumber channel, std::uint32_t bytes) {
  const auto payload = u32_bytes(bytes);
  out.append({channel, FrameType::credit, payload});
}

// The first gives up its turn, or has the next one after all others.
void drop_first(std::vector<ChannelNumber>& turns) { turns.erase(turns.begin()); }
void rotate(std::vector<ChannelNumber>& turns) { std::ranges::rotate(turns, turns.begin() + 1); }

void append_reset(Batch& out, ChannelNumber channel, ResetCode code, std::string_view text) {
  Bytes payload;
  append_u32(payload, static_cast<std::uint32_t>(code));
  const auto bytes = as_bytes(text);
  payload.insert(payload.end(), bytes.begin(), bytes.end());
  out.append({channel, FrameType::reset, payload});
}

}  // namespace

FrameWriter::Flow& FrameWriter::flow(ChannelNumber channel) {
  if (const auto at = flows_.find(channel); at != flows_.end()) return at->second;
  // Whatever finds no memory here leaves no turn without a flow.
  if (small_.size() == small_.capacity()) small_.reserve(std::max<std::size_t>(8, 2 * small_.size()));
  auto at = flows_.end();
  if (spare_flows_.empty()) {
    at = flows_.try_emplace(channel, *blocks_).first;
  } else {
    auto node = std::move(spare_flows_.back());
    spare_flows_.pop_back();
    node.key() = channel;
    at = flows_.insert(std::move(node)).position;
  }
  small_.push_back(channel);
  return at->second;
}

void FrameWriter::end_flow(ChannelNumber channel) {
  auto node = flows_.extract(channel);
  if (spare_flows_.size() == kSpareFlows) return;
  node.mapped().fin = false;
  node.mapped().reset.reset();
  node.mapped().reset_text = {};
  spare_flows_.push_back(std::move(node));
}

Result<void> FrameWriter::control(std::span<const std::byte> message) {
  if (message.empty() || message.size() > kMaxPayload) {
    return fail(Errc::too_large,
                fmt::format("P4.3: a control message of {} bytes, at most {} fit", message.size(), kMaxPayload));
  }
  if (control_bytes_ + message.size() > limits_.control) {
    return fail(Errc::exhausted,
                fmt::format("{} bytes of control messages wait: the other side does not read", control_bytes_));
  }
  control_bytes_ += message.size();
  control_.emplace_back(message.begin(), message.end());
  return {};
}

void FrameWriter::open(ChannelNumber channel, std::string_view purpose) {
  opens_.push_back({channel, std::string(purpose)});
}

std::size_t FrameWriter::room_for(ChannelNumber channel) const {
  const auto waiting = queued(channel);
  return std::min(room(), limits_.channel - std::min(limits_.channel, waiting));
}

std::size_t FrameWriter::data(ChannelNumber channel, std::span<const std::byte> bytes) {
  const auto count = std::min(bytes.size(), room_for(channel));
  if (count == 0) return 0;
  flow(channel).data.append(bytes.first(count));
  queued_ += count;
  return count;
}

WriteRoom FrameWriter::prepare(ChannelNumber channel, std::size_t most) {
  WriteRoom shown;
  most = std::min(most, room_for(channel));
  std::size_t parts = 0;
  const auto show = [&](std::span<std::byte> room) {
    if (room.empty() || parts == WriteRoom::kParts || shown.size == most) return;
    shown.parts[parts] = room.first(std::min(room.size(), most - shown.size));
    shown.size += shown.parts[parts++].size();
  };
  if (const auto at = flows_.find(channel); at != flows_.end()) {
    if (const auto room = at->second.data.room_at_end(); room.size() >= kLeastRoom) show(room);
  }
  for (auto& block : spare_) {
    if (!block) block = blocks_->take();
    show(block->room());
  }
  return shown;
}

void FrameWriter::commit(ChannelNumber channel, std::size_t count) {
  if (count == 0) return;
  queued_ += count;
  auto& data = flow(channel).data;
  if (const auto room = data.room_at_end(); room.size() >= kLeastRoom) {
    const auto here = std::min(room.size(), count);
    data.filled_at_end(here);
    count -= here;
  }
  for (auto& block : spare_) {
    if (count == 0) return;
    const auto here = std::min(block->room().size(), count);
    block->filled(here);
    count -= here;
    data.append(std::move(block));
  }
}

void FrameWriter::rest() {
  for (auto& block : spare_) block.reset();
  spare_flows_ = std::vector<Flows::node_type>();
  if (credits_.empty()) credits_.shrink_to_fit();  // else it may ask for memory
  small_.shrink_to_fit();
  bulk_.shrink_to_fit();
}

void FrameWriter::credit(ChannelNumber channel, std::uint32_t bytes) { credits_[channel] += bytes; }

void FrameWriter::fin(ChannelNumber channel) { flow(channel).fin = true; }

void FrameWriter::reset(ChannelNumber channel, ResetCode code, std::string_view text, Unsent unsent) {
  credits_.erase(channel);
  auto& to = flow(channel);
  if (!to.fin && unsent == Unsent::drop) {
    queued_ -= to.data.size();
    to.data.clear();
  }
  to.reset = code;
  to.reset_text = text.substr(0, kMaxText);
}

std::size_t FrameWriter::queued(ChannelNumber channel) const {
  const auto at = flows_.find(channel);
  return at == flows_.end() ? 0 : at->second.data.size();
}

void FrameWriter::take_batch(Batch& out) {
  out.clear();
  const auto end = limits_.batch;
  take_control(out, end);
  take_credits(out, end);
  if (!take_opens(out, end)) return;
  // Small channels may not starve bulk: half of what is left is bulk's while there is any.
  take_small(out, bulk_.empty() ? end : out.size() + (end - out.size()) / 2);
  take_bulk(out, end);
}

void FrameWriter::take_control(Batch& out, std::size_t end) {
  while (!control_.empty()) {
    const auto& message = control_.front();
    if (out.size() + kHeaderSize + message.size() > end) return;
    out.append({kControlChannel, FrameType::control, message});
    control_bytes_ -= message.size();
    control_.pop_front();
  }
}

void FrameWriter::take_credits(Batch& out, std::size_t end) {
  while (!credits_.empty() && out.size() + kHeaderSize + 4 <= end) {
    append_credit(out, credits_.begin()->first, credits_.begin()->second);
    credits_.erase(credits_.begin());
  }
}

// False when the batch has no room for all: what belongs to the channels may not go before.
bool FrameWriter::take_opens(Batch& out, std::size_t end) {
  while (!opens_.empty()) {
    const auto& next = opens_.front();
    if (out.size() + kHeaderSize + next.purpose.size() > end) return false;
    out.append({next.channel, FrameType::open, as_bytes(next.purpose)});
    opens_.pop_front();
  }
  return true;
}

void FrameWriter::take_small(Batch& out, std::size_t end) {
  for (auto turns = small_.size(); turns > 0; --turns) {
    const auto channel = small_.front();
    auto& next = flows_.at(channel);
    if (next.data.size() > kSmall) {
      bulk_.push_back(channel);
      drop_first(small_);
      continue;
    }
    while (take_data(channel, next, out, end) > 0) {
    }
    if (!next.data.empty() || !take_tail(channel, next, out, end)) return;
    drop_first(small_);
    end_flow(channel);
  }
}

// Of each channel as much as the other side writes to a socket at one time, until the batch is full.
void FrameWriter::take_bulk(Batch& out, std::size_t end) {
  while (!bulk_.empty()) {
    const auto channel = bulk_.front();
    auto& next = flows_.at(channel);
    std::size_t turn = 0;
    for (std::size_t taken = 1; taken > 0 && turn < kTurn; turn += taken) taken = take_data(channel, next, out, end);
    if (next.data.empty()) {
      if (!take_tail(channel, next, out, end)) return;
      drop_first(bulk_);
      end_flow(channel);
      continue;
    }
    if (turn == 0) return;
    rotate(bulk_);
  }
}

std::size_t FrameWriter::take_data(ChannelNumber channel, Flow& flow, Batch& out, std::size_t end) {
  const auto count = flow.data.front().size();
  if (count == 0 || out.size() + kHeaderSize + count > end) return 0;
  out.append(channel, flow.data.take_front());
  queued_ -= count;
  return count;
}

// Fin or reset; false when the batch has no room for it.
bool FrameWriter::take_tail(ChannelNumber channel, Flow& flow, Batch& out, std::size_t end) {
  if (!flow.fin && !flow.reset) return true;
  if (out.size() + kLargestFlowFrame > end) return false;
  if (flow.fin) out.append({channel, FrameType::fin, {}});
  if (flow.reset) append_reset(out, channel, *flow.reset, flow.reset_text);
  return true;
}

}  // namespace sallyport::mux
