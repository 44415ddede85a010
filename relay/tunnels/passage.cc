#include "relay/tunnels/passage.h"

#include "shared/base/utf8.h"

#include <utility>

namespace sallyport::tunnels {

void Passage::carry(std::unique_ptr<Client> client, Placement& placement, Placement::Opened by,
                    tunnel::SpliceLimits limits, std::move_only_function<void(Ending)> on_end) {
  client_ = std::move(client);
  load_.emplace(placement, std::move(by.agent), begin_.tunnel);
  channel_.emplace(std::move(by.channel));
  client_->carry(*channel_, flow_, limits, [this, told = std::move(on_end)](const auto& outcome) mutable {
    const bool is_cut = outcome.end == tunnel::SpliceEnd::stopped && why_cut_;
    told(is_cut ? *std::move(why_cut_) : ending_of(outcome));
  });
}

void Passage::cut(Ending why) {
  if (why_cut_) return;
  why_cut_ = std::make_unique<Ending>(std::move(why));
  client_->stop();
}

store::TunnelConnection Passage::record() const {
  const auto& [source, opener] = begin_.visitor;
  store::TunnelConnection record{.id = begin_.id, .tunnel = begin_.tunnel, .source = source, .opened_at = begin_.at};
  if (load_) record.agent = load_->agent();
  if (opener) record.user = opener->user;
  if (opener) record.token = opener->token;
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
  return flow_.from_channel > 0 || now - begin_.now >= grace;
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
