#include "relay/cli/commands.h"

#include <fcntl.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

namespace {

// A standard stream that was handed over closed: whatever is opened next would get its number, and a connection or a
// file would get what is printed. These refuse instead.
void occupy_closed_streams() {
  constexpr std::array<std::pair<int, int>, 3> kStreams{{{0, O_WRONLY}, {1, O_RDONLY}, {2, O_RDONLY}}};
  for (const auto& [stream, flags] : kStreams) {
    if (::fcntl(stream, F_GETFD) == -1) std::ignore = ::open("/dev/null", flags);
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    occupy_closed_streams();
    std::ignore = std::signal(SIGPIPE, SIG_IGN);  // a reader that went away, a relay that broke off: seen as errors
    sallyport::cli::Context context;
    return sallyport::cli::run(context, {words + 1, words + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sallyport: %s\n", e.what());
    return sallyport::cli::kFailed;
  }
}
