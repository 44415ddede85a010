#include "shared/link/link_core.h"

namespace sallyport::link {

ChannelState::ChannelState(std::shared_ptr<LinkCore> link, mux::ChannelNumber channel)
    : core(std::move(link)),
      number(channel),
      readable(core->executor),
      writable(core->executor),
      broken(core->executor),
      sender_gone(core->executor) {}

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
  mux.release(number);
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
    const auto state = weak.lock();
    if (!state) continue;
    state->readable.set();
    state->writable.set();
    state->broken.set();
  }
}

void LinkCore::wake_writer() {
  if (mux.has_output()) output.set();
}

void LinkCore::wake_blocked() {
  while (const auto number = mux.next_writable()) {
    if (auto* state = find(*number)) state->writable.set();
  }
}

ChannelState* LinkCore::find(mux::ChannelNumber number) {
  const auto at = attached.find(number);
  return at == attached.end() ? nullptr : at->second.lock().get();
}

Error LinkCore::ended_error() const {
  return {Errc::unavailable, "the link ended (" + std::string(to_string(why.end)) + "): " + why.message};
}

}  // namespace sallyport::link
