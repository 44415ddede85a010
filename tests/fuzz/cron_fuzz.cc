#include "shared/recipe/cron.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

// Eight bytes of time, then a zone's number, then the schedule: the next time is later, and stable.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  constexpr const char* kZones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"};
  if (size < 9) return 0;
  std::int64_t start = 0;
  std::memcpy(&start, data, sizeof start);
  const auto cron = recipe::Cron::parse({reinterpret_cast<const char*>(data) + 9, size - 9}, kZones[data[8] % 5]);
  if (!cron) return 0;
  auto now = from_unix_ms(start);
  for (int i = 0; i < 4; ++i) {
    const auto next = cron->next(now);
    if (!next) return 0;
    if (*next <= now || cron->next(*next - std::chrono::milliseconds(1)) != next) std::abort();
    now = *next;
  }
  return 0;
}
