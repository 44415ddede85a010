#include "shared/link/link_core.h"

#include "shared/link/channel.h"

namespace sallyport::link {

ChannelState::Waits& ChannelState::waits() {
  if (!waiting) waiting = std::make_unique<Waits>(core->executor);
  return *waiting;
}

void ChannelState::became_readable() {
  if (waiting) waiting->readable.set();
  if (watcher) watcher->on_readable();
}

void ChannelState::became_writable() {
  if (waiting) waiting->writable.set();
  if (watcher) watcher->on_writable();
}

void ChannelState::became_broken() {
  if (waiting) {
    waiting->readable.set();
    waiting->writable.set();
    waiting->broken.set();
  }
  if (watcher) watcher->on_broken();
}

LinkCore::LinkCore(const boost::asio::any_io_executor& on, mux::Side side, mux::MuxLimits limits, const Clock& clock)
    : executor(on),
      mux(side, limits,
          [this, &clock](const mux::WindowUse& use) {
            return ended.is_set() ? use.window : growth.wanted(use, clock.steady());
          }),
      output(on),
      ended(on),
      channels_changed(on) {}

std::shared_ptr<ChannelState> LinkCore::attach(mux::ChannelNumber number) {
  auto state = std::make_shared<ChannelState>(shared_from_this(), number);
  attached[number] = state;
  return state;
}

void LinkCore::release(mux::ChannelNumber number) {
  attached.erase(number);
  growth.forget(number);
  if (!ended.is_set()) mux.release(number);  // the other side learns of the link's end, and of nothing after it
  wake_writer();
  channels_changed.set();
}

void LinkCore::end(EndReason reason) {
  if (ended.is_set()) return;
  why = std::move(reason);
  ended.set();
  output.set();
  channels_changed.set();
  for (const auto& [number, weak] : attached) {
    if (const auto state = weak.lock()) state->became_broken();
  }
}

void LinkCore::hand_over(mux::ChannelNumber number, std::span<const std::span<const std::byte>> bytes,
                         Following following) {
  const auto state = find(number);
  std::size_t taken = 0;
  if (state && state->watcher) {
    auto& watcher = *state->watcher;
    taken = following == Following::nothing ? watcher.on_last_bytes(bytes) : watcher.on_bytes(bytes);
  }
  mux.take_offered(number, bytes, taken);
}

void LinkCore::wake_writer() {
  if (mux.has_output()) output.set();
}

// Once each: a watcher writes at once, and may be cut short again.
void LinkCore::wake_blocked() {
  for (auto left = mux.blocked(); left > 0; --left) {
    const auto number = mux.next_writable();
    if (!number) return;
    if (const auto state = find(*number)) state->became_writable();
  }
}

std::shared_ptr<ChannelState> LinkCore::find(mux::ChannelNumber number) const {
  const auto at = attached.find(number);
  return at == attached.end() ? nullptr : at->second.lock();
}

Error LinkCore::ended_error() const {
  return {Errc::unavailable, "the link ended (" + std::string(to_string(why.end)) + "): " + why.message};
}

}  // namespace sallyport::link
