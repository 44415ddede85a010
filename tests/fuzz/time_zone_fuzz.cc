#include "shared/zone/time_zone.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

// Stretches contain the moment that was asked for and follow each other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using std::chrono::sys_seconds;
  const auto zone = TimeZone::parse({reinterpret_cast<const char*>(data), size});
  if (!zone) return 0;
  for (const std::int64_t moment : {-62'135'596'800LL, 0LL, 2'145'916'800LL, 253'402'300'799LL}) {
    sys_seconds at{std::chrono::seconds(moment)};
    for (int i = 0; i < 3; ++i) {
      const auto found = zone->stretch(at);
      if (at < found.begin || at >= found.end) std::abort();
      if (found.end == sys_seconds::max()) break;
      at = found.end;
    }
  }
  return 0;
}
