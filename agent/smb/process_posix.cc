#include "agent/smb/process.h"
#include "shared/base/undumpable.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALLYPORT_NEEDS_ADDRESSES
#endif
#endif

namespace sallyport::smb {
namespace {

bool bound_memory() {
#ifdef SALLYPORT_NEEDS_ADDRESSES
  return true;
#else
  constexpr rlimit kMost{512u << 20, 512u << 20};
  return ::setrlimit(RLIMIT_AS, &kMost) == 0;
#endif
}

}  // namespace

bool confine_process() {
  return become_undumpable().has_value() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && bound_memory();
}

void end_with_the_agent() {
  std::thread([] {
    pollfd agent{kSocket, POLLRDHUP, 0};
    while (::poll(&agent, 1, -1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }).detach();
}

}  // namespace sallyport::smb
