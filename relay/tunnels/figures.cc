#include "relay/tunnels/figures.h"

namespace sallyport::tunnels {
namespace {
constexpr auto kBytes = "sallyport_tunnel_bytes_total";
constexpr auto kBytesHelp = "Bytes carried through tunnels";
}  // namespace

Figures::Figures(Metrics& metrics)
    : open(metrics.gauge("sallyport_tunnel_connections", "Connections through tunnels that are open")),
      listeners(metrics.gauge("sallyport_tunnel_listeners", "Ports on which tunnels listen")),
      failed_listeners(metrics.gauge("sallyport_tunnel_listeners_failed",
                                     "Active tunnels whose port could not be opened, and is tried again")),
      to_target(metrics.counter(kBytes, kBytesHelp, {{"direction", "to_target"}})),
      from_target(metrics.counter(kBytes, kBytesHelp, {{"direction", "from_target"}})),
      records_dropped(metrics.counter("sallyport_tunnel_records_dropped_total",
                                      "Access records of tunnels that the database never took")) {
  for (const auto end : kConnectionEnds) {
    ended[end] = &metrics.counter("sallyport_tunnel_connections_ended_total",
                                  "Connections through tunnels that ended or were refused, by why",
                                  {{"end", std::string(to_string(end))}});
  }
}

}  // namespace sallyport::tunnels
