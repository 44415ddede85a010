#include "relay/tunnels/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::tunnels {

bool Tally::may_begin(SteadyTime now) {
  if (!since_) since_ = now;
  if (own_ >= kOwn) return false;
  ++own_;
  return true;
}

bool Tally::is_first_of(ConnectionEnd end, const std::string& source) {
  auto& told = sources_[end];
  if (told.size() >= kSources || std::ranges::find(told, source) != told.end()) return false;
  told.push_back(source);
  return true;
}

bool Tally::ended(ConnectionEnd end, const store::TunnelConnection& closed, SteadyTime now) {
  if (!since_) since_ = now;
  if (was_carried(end) ? may_begin(now) : is_first_of(end, closed.source)) return true;
  auto& rest = rests_[end];
  rest.since = rest.count == 0 ? closed.opened_at : std::min(rest.since, closed.opened_at);
  ++rest.count;
  rest.bytes.to_channel += closed.to_target;
  rest.bytes.from_channel += closed.from_target;
  rest.latest = closed;
  return false;
}

Tally::Rests Tally::due(SteadyTime now) {
  if (!since_ || now - *since_ < kMinute) return {};
  return take();
}

Tally::Rests Tally::take() {
  since_.reset();
  own_ = 0;
  sources_.clear();
  return std::exchange(rests_, {});
}

store::TunnelConnection record_of(ConnectionEnd end, Tally::Rest rest) {
  auto record = std::move(rest.latest);
  record.opened_at = std::min(rest.since, record.opened_at);
  record.to_target = rest.bytes.to_channel;
  record.from_target = rest.bytes.from_channel;
  record.detail = was_carried(end)
                      ? fmt::format(
                            "{} more connections ended like this within a minute, of this address and perhaps "
                            "others; the bytes are those of all of them",
                            rest.count)
                      : fmt::format(
                            "{} more connections were refused within a minute, of this address and perhaps "
                            "others",
                            rest.count);
  return record;
}

}  // namespace sallyport::tunnels
