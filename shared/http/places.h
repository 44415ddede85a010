#pragma once

#include "shared/async/sources.h"
#include "shared/http/edge_metrics.h"
#include "shared/http/server.h"

#include <cstddef>
#include <string>
#include <utility>

namespace sallyport::http {

// Connections that last and so make no room for others (Limits). On the server's executor.
struct Places {
  explicit Places(const Limits& limits) : streams(limits.max_streams()) {}
  std::size_t upgraded = 0;
  FairShare streams;  // by who asked
};

// One of those that have become something else.
class UpgradePlace {
 public:
  UpgradePlace(Places& places, EdgeMetrics& metrics) : places_(places), metrics_(metrics) {
    ++places_.upgraded;
    metrics_.upgraded.add(1);
  }
  UpgradePlace(const UpgradePlace&) = delete;
  UpgradePlace& operator=(const UpgradePlace&) = delete;
  ~UpgradePlace() {
    --places_.upgraded;
    metrics_.upgraded.add(-1);
  }

 private:
  Places& places_;
  EdgeMetrics& metrics_;
};

// One live stream; only while there is a place for its actor.
class StreamPlace {
 public:
  StreamPlace(Places& places, EdgeMetrics& metrics, std::string actor)
      : places_(places), metrics_(metrics), actor_(std::move(actor)) {
    places_.streams.take(actor_);
    metrics_.streams.add(1);
  }
  StreamPlace(const StreamPlace&) = delete;
  StreamPlace& operator=(const StreamPlace&) = delete;
  ~StreamPlace() {
    places_.streams.give_back(actor_);
    metrics_.streams.add(-1);
  }

 private:
  Places& places_;
  EdgeMetrics& metrics_;
  std::string actor_;
};

}  // namespace sallyport::http
