// Preloaded into a program under test (LD_PRELOAD): moves its wall clock, and says that its kernel keeps it so by NTP.
// The file that SALLYPORT_MOVED_CLOCK names is an int64: how many milliseconds the wall clock is moved by.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

using Plan = std::atomic<std::int64_t>;

// Mapped when the program begins, behind whatever a sanitizer has to set up first: nothing is moved before.
Plan* plan = nullptr;

__attribute__((constructor)) void map_plan() {
  const char* file = std::getenv("SALLYPORT_MOVED_CLOCK");
  const int fd = file != nullptr ? ::open(file, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* at = ::mmap(nullptr, sizeof(Plan), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  if (at != MAP_FAILED) plan = static_cast<Plan*>(at);
}

std::int64_t moved_ms() { return plan != nullptr ? plan->load() : 0; }

void move(std::int64_t& seconds, std::int64_t& fraction, std::int64_t per_second) {
  const std::int64_t ms = moved_ms();
  seconds += ms / 1000;
  fraction += ms % 1000 * (per_second / 1000);
  if (fraction < 0) fraction += per_second, --seconds;
  if (fraction >= per_second) fraction -= per_second, ++seconds;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* at) {
  const auto done = static_cast<int>(::syscall(SYS_clock_gettime, clock, at));
  if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    move(at->tv_sec, at->tv_nsec, 1'000'000'000);
  return done;
}

int gettimeofday(timeval* at, void* zone) {
  const auto done = static_cast<int>(::syscall(SYS_gettimeofday, at, zone));
  if (done == 0) move(at->tv_sec, at->tv_usec, 1'000'000);
  return done;
}

time_t time(time_t* at) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != nullptr) *at = now.tv_sec;
  return now.tv_sec;
}

int adjtimex(timex* state) {
  const auto done = static_cast<int>(::syscall(SYS_adjtimex, state));
  if (plan == nullptr || done == -1) return done;
  state->status &= ~STA_UNSYNC;
  state->maxerror = 1000;
  const std::int64_t unit = (state->status & STA_NANO) != 0 ? 1'000'000'000 : 1'000'000;
  move(state->time.tv_sec, state->time.tv_usec, unit);
  return TIME_OK;
}

}  // extern "C"
