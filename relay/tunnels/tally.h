#pragma once

#include "relay/store/tunnels.h"
#include "relay/tunnels/connection_end.h"

#include <map>

namespace sallyport::tunnels {

// Which connections of one tunnel have an access record of their own, so that each is accounted for and nobody who can
// reach the port fills the database. In a minute these have one: of those that were not carried, for each reason, the
// first one of each of eight addresses; of those that were, 600. All others are counted, and told together when the
// minute is over: one record for each way in which they ended. No IO and no clock.
class Tally {
 public:
  static constexpr std::chrono::seconds kMinute{60};
  static constexpr std::size_t kSources = 8;
  static constexpr std::size_t kOwn = 600;

  struct Rest {  // those that ended in one way
    std::uint64_t count = 0;
    tunnel::Flow bytes;              // of all of them
    store::TunnelConnection latest;  // that ended last
    WallTime since;                  // when the first one that ended began
  };
  using Rests = std::map<ConnectionEnd, Rest>;

  // True: an open connection may have its record now; otherwise ask again later. Call due() before this and ended().
  bool may_begin(SteadyTime now);
  // One has ended without a record. True: it has its own; false: it was counted.
  bool ended(ConnectionEnd end, const store::TunnelConnection& closed, SteadyTime now);
  // What was counted in a minute that is over; forgets it.
  Rests due(SteadyTime now);
  Rests take();  // as if it were over
  bool pending() const { return !rests_.empty(); }

 private:
  bool is_first_of(ConnectionEnd end, const std::string& source);

  std::optional<SteadyTime> since_;  // the first one of this minute
  std::size_t own_ = 0;
  std::map<ConnectionEnd, std::vector<std::string>> sources_;
  Rests rests_;
};

// The one record of those that were counted.
store::TunnelConnection record_of(ConnectionEnd end, Tally::Rest rest);

}  // namespace sallyport::tunnels
