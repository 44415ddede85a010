#include "relay/http/body_reader.h"
#include "relay/http/gate.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace sallyport::http;

// Both readings of a request: the strict gate, then Beast's parser over the same bytes. What the gate accepted must
// hold what it promises, whatever follows it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto end = find_head_end(bytes, {});
  if (!end || !*end) return 0;
  const auto head = check_head(bytes.substr(0, **end), {});
  if (!head) return 0;
  if (head->host.empty() || (head->chunked && head->content_length)) std::abort();
  for (const auto& segment : head->segments) {
    if (segment.empty() || segment == "." || segment == ".." || segment.find('/') != std::string::npos) std::abort();
  }
  BodyReader reader(*head, {.body = 4096});
  for (auto rest = bytes; !reader.done();) {
    const auto used = reader.feed(rest);
    if (!used || *used == 0) return 0;
    rest.remove_prefix(*used);
  }
  if (head->content_length && reader.take().size() != *head->content_length) std::abort();
  return 0;
}
