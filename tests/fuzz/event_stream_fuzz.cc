#include "relay/cli/client.h"

#include <cstdlib>

// Server-sent events as the CLI reads them: however the bytes are cut, the events are the same.
using namespace sallyport::cli;

namespace {

struct Seen {
  std::string events;
  bool refused = false;
};

Seen read(std::string_view bytes, std::size_t step) {
  EventReader reader;
  Seen seen;
  const auto take = [&](const ServerEvent& event) {
    seen.events.append(event.id).append("\x1f").append(event.name).append("\x1f").append(event.data).append("\x1e");
    return event.name == "end" ? Flow::stop : Flow::go_on;
  };
  while (!bytes.empty() && !seen.refused && !reader.stopped()) {
    const auto part = bytes.substr(0, step);
    seen.refused = !reader.feed(part, take);
    bytes.remove_prefix(part.size());
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(bytes, bytes.size() + 1);
  const auto cut = read(bytes, 1 + data[0] % 16);
  if (whole.events != cut.events || whole.refused != cut.refused) std::abort();
  return 0;
}
