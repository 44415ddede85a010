#include "shared/link/link_end.h"

namespace sallyport::link {

std::string_view to_string(LinkEnd end) {
  switch (end) {
    case LinkEnd::stopped: return "stopped";
    case LinkEnd::drained: return "drained";
    case LinkEnd::peer_closed: return "peer_closed";
    case LinkEnd::stream_failed: return "stream_failed";
    case LinkEnd::protocol_error: return "protocol_error";
    case LinkEnd::silent_peer: return "silent_peer";
    case LinkEnd::handshake_timeout: return "handshake_timeout";
    case LinkEnd::refused: return "refused";
    case LinkEnd::refused_peer: return "refused_peer";
    case LinkEnd::internal: return "internal";
  }
  return "internal";
}

}  // namespace sallyport::link
