#include "tests/sim/mux/link_world.h"

#include <fmt/format.h>

#include <vector>

namespace sallyport::sim {
using namespace sallyport::mux;
namespace {

MuxLimits world_limits() {
  MuxLimits limits;
  limits.initial_window = 3000;
  limits.max_window = 40'000;
  limits.received = 60'000;
  limits.channels = 8;
  limits.writer.queue = 20'000;
  limits.writer.channel = 9'000;
  return limits;
}

std::uint32_t grow(const WindowUse& use) {
  if (use.consumed % 7 == 0) return use.window / 2;
  return use.consumed > 8 * use.window ? use.window * 2 : use.window;
}

}  // namespace

LinkWorld::End::End(Side side) : mux(side, world_limits(), grow) { mux.start(world_limits().initial_window); }

LinkWorld::LinkWorld(std::uint64_t seed, Fault fault)
    : random_(seed), fault_(fault), ends_{End(Side::agent), End(Side::relay)} {}

void LinkWorld::wrong(std::string what) {
  if (!wrong_) wrong_ = std::move(what);
}

std::byte LinkWorld::pattern(int side, ChannelNumber channel, std::uint64_t place) {
  return static_cast<std::byte>((place * 131 + channel * 17 + static_cast<unsigned>(side) * 59 + (place >> 8)) & 0xff);
}

std::optional<std::string> LinkWorld::run(int steps) {
  for (int i = 0; i < steps && !wrong_; ++i) step();
  if (!wrong_) settle();
  return wrong_;
}

void LinkWorld::step() {
  const int side = static_cast<int>(pick(2));
  switch (pick(4)) {
    case 0: send(side); break;
    case 1: deliver(side, 1 + pick(5000)); break;
    default: user_step(side); break;
  }
  check_bounds();
}

void LinkWorld::user_step(int side) {
  auto& end = ends_[side];
  if (end.users.empty() || pick(12) == 0) {
    const auto opened = end.mux.open("sim/1");
    if (opened) end.users[*opened];
    if (!opened && opened.error().code != Errc::exhausted) wrong("open: " + opened.error().message);
    return;
  }
  auto at = std::next(end.users.begin(), pick(static_cast<unsigned>(end.users.size())));
  auto& [channel, user] = *at;
  const auto dice = pick(100);
  if (dice < 45) return write(side, channel, user);
  if (dice < 90) return read(side, channel, user);
  if (dice < 95 && !user.broken) {
    if (end.mux.finish(channel)) {
      user.finished = true;
      end.finished_at[channel] = user.wrote;
    }
    return;
  }
  if (dice < 97) {
    end.mux.reset(channel, ResetCode::cancelled, "sim");
    end.finished_at.erase(channel);
    user.broken = true;
    return;
  }
  end.mux.release(channel);
  end.users.erase(at);
}

void LinkWorld::write(int side, ChannelNumber channel, User& user) {
  Bytes bytes(1 + pick(6000));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(side, channel, user.wrote + i);
  const auto count = ends_[side].mux.write(channel, bytes);
  if (count) user.wrote += *count;
  if (!count && !user.finished && !user.broken) user.broken = true;
}

void LinkWorld::read(int side, ChannelNumber channel, User& user) {
  Bytes bytes(1 + pick(6000));
  const auto count = ends_[side].mux.read(channel, bytes);
  if (!count) {
    user.broken = true;
    return;
  }
  if (!*count) return;
  for (std::size_t i = 0; i < **count; ++i) {
    if (bytes[i] != pattern(1 - side, channel, user.got + i))
      return wrong(fmt::format("channel {}: byte {} is not what was sent", channel, user.got + i));
  }
  user.got += **count;
  delivered_ += **count;
  if (**count > 0) return;
  user.peer_finished = true;
  const auto& sent = ends_[1 - side].finished_at;
  const auto whole = sent.find(channel);
  if (whole != sent.end() && whole->second != user.got)
    wrong(fmt::format("channel {}: ended after {} of {} bytes", channel, user.got, whole->second));
}

void LinkWorld::send(int side) {
  Bytes batch;
  ends_[side].mux.take_batch(batch);
  while (ends_[side].mux.next_writable()) {
  }
  account_sent(side, batch);
  plant(batch);
  ends_[side].wire.insert(ends_[side].wire.end(), batch.begin(), batch.end());
}

// The wire's own count of credit: nobody may send more than what reached it.
void LinkWorld::account_sent(int side, std::span<const std::byte> batch) {
  auto& end = ends_[side];
  end.tap.feed(batch);
  for (auto frame = end.tap.next(); frame && *frame; frame = end.tap.next()) {
    if ((*frame)->type == FrameType::open) end.may_send[(*frame)->channel] = world_limits().initial_window;
    if ((*frame)->type != FrameType::data) continue;
    auto& left = end.may_send[(*frame)->channel];
    left -= static_cast<std::int64_t>((*frame)->payload.size());
    if (left < 0) wrong(fmt::format("channel {}: {} bytes beyond the credit", (*frame)->channel, -left));
  }
}

void LinkWorld::account_received(int side, std::span<const std::byte> bytes) {
  auto& end = ends_[side];
  end.arrivals.feed(bytes);
  for (auto frame = end.arrivals.next(); frame && *frame; frame = end.arrivals.next()) {
    if ((*frame)->type == FrameType::open) end.may_send[(*frame)->channel] = world_limits().initial_window;
    if ((*frame)->type == FrameType::credit) end.may_send[(*frame)->channel] += read_u32((*frame)->payload.first<4>());
  }
}

// Changes one frame of the batch, once in a history.
void LinkWorld::plant(Bytes& batch) {
  if (fault_ == Fault::none || planted_) return;
  const auto wanted = fault_ == Fault::inflated_credit ? FrameType::credit : FrameType::data;
  std::size_t at = 0;
  while (at < batch.size()) {
    const auto size = kHeaderSize + (read_u32(std::span<const std::byte>(batch).subspan(at + 4).first<4>()) & 0xffffff);
    if (static_cast<FrameType>(batch[at + 4]) == wanted && size > kHeaderSize + 3) {
      const auto offset = static_cast<std::ptrdiff_t>(at);
      planted_ = true;
      if (fault_ == Fault::inflated_credit) batch[at + kHeaderSize + 1] |= std::byte{0x10};  // a megabyte more
      if (fault_ == Fault::swapped_bytes) std::swap(batch[at + kHeaderSize], batch[at + kHeaderSize + 1]);
      if (fault_ == Fault::lost_frame)
        batch.erase(batch.begin() + offset, batch.begin() + offset + static_cast<std::ptrdiff_t>(size));
      return;
    }
    at += size;
  }
}

void LinkWorld::deliver(int side, std::size_t most) {
  auto& from = ends_[1 - side].wire;
  const auto count = std::min(most, from.size());
  const Bytes bytes(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
  from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
  account_received(side, bytes);
  auto& end = ends_[side];
  end.mux.feed(bytes);
  for (;;) {
    auto event = end.mux.next();
    if (!event) return wrong("violation: " + event.error().message);
    if (!*event) return;
    if ((*event)->kind == MuxEvent::Kind::opened) end.users[(*event)->channel];
  }
}

void LinkWorld::check_bounds() {
  for (const auto& end : ends_) {
    const auto limits = world_limits();
    if (end.mux.received() > end.mux.promised()) wrong("more is held than was promised");
    if (end.mux.promised() > limits.received) wrong("more was promised than the link may hold");
    if (end.mux.writer().queued() > limits.writer.queue) wrong("more is queued than the link may queue");
    if (end.mux.open_channels() > 2 * limits.channels) wrong("too many channels are known");
  }
}

// Everybody reads to the end, finishes and lets go: then nothing may be left on either side.
void LinkWorld::settle() {
  for (int round = 0; round < 4000 && !wrong_; ++round) {
    bool busy = false;
    for (int side = 0; side < 2; ++side) {
      auto& end = ends_[side];
      for (auto at = end.users.begin(); at != end.users.end();) {
        auto& [channel, user] = *at;
        if (!user.finished && end.mux.finish(channel)) {
          user.finished = true;
          end.finished_at[channel] = user.wrote;
        }
        if (!user.broken && !user.peer_finished) read(side, channel, user);
        const bool over = user.broken || user.peer_finished;
        if (over) end.mux.release(channel);
        at = over ? end.users.erase(at) : std::next(at);
      }
      send(side);
      deliver(1 - side, 100'000);
      check_bounds();
      busy = busy || !end.users.empty() || end.mux.has_output() || !end.wire.empty() || end.mux.open_channels() > 0;
    }
    if (!busy) return;
  }
  if (!wrong_) wrong("the link does not come to rest");
}

}  // namespace sallyport::sim
