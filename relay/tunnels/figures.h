#pragma once

#include "relay/tunnels/connection_end.h"
#include "shared/base/metrics.h"

#include <map>

namespace sallyport::tunnels {

// What is measured of all tunnels together.
struct Figures {
  explicit Figures(Metrics& metrics);
  void count(ConnectionEnd end) { ended.at(end)->add(); }

  Gauge& open;              // connections that are carried now
  Gauge& listeners;         // open ones
  Gauge& failed_listeners;  // that should be
  Counter& to_target;
  Counter& from_target;
  Counter& records_dropped;
  std::map<ConnectionEnd, Counter*> ended;
};

}  // namespace sallyport::tunnels
