#include "relay/tunnels/passage.h"

#include "shared/base/utf8.h"

#include <utility>

namespace sallyport::tunnels {
namespace asio = boost::asio;

void Passage::cut(Ending why) {
  if (why_cut_) return;
  why_cut_ = std::move(why);
  cut_.request();
}

asio::awaitable<tunnel::SpliceOutcome> Passage::carry(Client& client, link::Channel& channel,
                                                      tunnel::SpliceLimits limits) {
  return client.carry(channel, flow_, limits, cut_);
}

Ending Passage::ending(const tunnel::SpliceOutcome& outcome) const {
  if (outcome.end != tunnel::SpliceEnd::stopped) return ending_of(outcome);
  return why_cut_.value_or(Ending{ConnectionEnd::relay_stopped});
}

store::TunnelConnection Passage::record() const {
  auto record = record_;
  record.to_target = flow_.to_channel;
  record.from_target = flow_.from_channel;
  return record;
}

store::TunnelConnection Passage::record(const Ending& ending, WallTime at) const {
  auto closed = record();
  closed.closed_at = std::max(at, closed.opened_at);
  closed.end = to_string(ending.end);
  closed.detail = with_valid_utf8(ending.detail);
  return closed;
}

bool Passage::is_carried(SteadyTime now, std::chrono::milliseconds grace) const {
  return flow_.from_channel > 0 || now - since_ >= grace;
}

store::TunnelConnection Passage::noted() {
  noted_ = flow_;
  return record();
}

bool Passage::has_news() const {
  return noted_ && (noted_->to_channel != flow_.to_channel || noted_->from_channel != flow_.from_channel);
}

tunnel::Flow Passage::uncounted() {
  const auto before = std::exchange(counted_, flow_);
  return {flow_.to_channel - before.to_channel, flow_.from_channel - before.from_channel};
}

}  // namespace sallyport::tunnels
