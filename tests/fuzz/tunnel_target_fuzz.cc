#include "shared/mux/frame.h"
#include "shared/tunnel/purpose.h"

#include <cstdlib>

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto target = tunnel::parse_target({reinterpret_cast<const char*>(data), size});
  if (!target) return 0;
  if (tunnel::purpose_of(tunnel::kTunnelService, *target).size() > mux::kMaxText) std::abort();
  if (tunnel::parse_target(tunnel::to_string(*target)) != target) std::abort();
  return 0;
}
