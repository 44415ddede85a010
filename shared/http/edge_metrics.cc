#include "shared/http/edge_metrics.h"

#include <algorithm>

namespace sallyport::http {
namespace {

Counter& of_class(Metrics& metrics, const char* name) {
  return metrics.counter("sallyport_http_requests_total", "Answered requests of the web API.", {{"status", name}});
}

}  // namespace

EdgeMetrics::EdgeMetrics(Metrics& metrics)
    : by_class{of_class(metrics, "1xx"), of_class(metrics, "2xx"), of_class(metrics, "3xx"), of_class(metrics, "4xx"),
               of_class(metrics, "5xx")},
      seconds(metrics.histogram("sallyport_http_request_seconds", "From the end of a request's header to its answer.")),
      connections(metrics.gauge("sallyport_http_connections", "Open connections of the web API.")),
      streams(metrics.gauge("sallyport_http_streams", "Live streams being played.")),
      upgraded(metrics.gauge("sallyport_http_upgraded", "Connections that have become something else.")),
      refused_connections(metrics.counter("sallyport_http_connections_refused_total",
                                          "Connections over a limit, in all or of one source.")),
      refused_requests(metrics.counter("sallyport_http_gate_refusals_total", "Requests the strict gate refused.")),
      failed_handshakes(metrics.counter("sallyport_http_tls_failures_total", "TLS handshakes that failed.")) {}

void EdgeMetrics::answered(int status, double took_seconds) {
  by_class[static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1)].get().add();
  seconds.observe(took_seconds);
}

}  // namespace sallyport::http
