#pragma once

#include "shared/base/metrics.h"

#include <array>
#include <functional>
#include <string>

namespace sallyport::http {

// The figures of the edge, made once at start.
struct EdgeMetrics {
  explicit EdgeMetrics(Metrics& metrics);

  void answered(int status, double took_seconds);

  std::array<std::reference_wrapper<Counter>, 5> by_class;  // 1xx .. 5xx
  Histogram& seconds;
  Gauge& connections;
  Gauge& streams;
  Gauge& upgraded;
  Counter& refused_connections;
  Counter& refused_requests;
  Counter& failed_handshakes;
};

}  // namespace sallyport::http
