#include "shared/base/result.h"

namespace sallyport {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::cancelled: return "cancelled";
    case Errc::timed_out: return "timed_out";
    case Errc::unavailable: return "unavailable";
    case Errc::unauthenticated: return "unauthenticated";
    case Errc::forbidden: return "forbidden";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::invalid: return "invalid";
    case Errc::too_large: return "too_large";
    case Errc::exhausted: return "exhausted";
    case Errc::internal: return "internal";
  }
  return "internal";
}

}  // namespace sallyport
