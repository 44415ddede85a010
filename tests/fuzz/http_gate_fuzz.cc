#include "shared/http/body_reader.h"
#include "shared/http/gate.h"
#include "shared/http/second_reading.h"
#include "shared/http/upgrade.h"

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
  if (head->offers_upgrade && head->keep_alive) std::abort();
  if (asks_for(*head, "sallyport-tunnel/1")) {
    if (head->method != Method::get || head->has_body() || head->content_length || !head->offers_upgrade) std::abort();
    if (head->headers.count("Upgrade") != 1) std::abort();
  }
  second_reading_agrees(*head, bytes.substr(0, **end));
  const auto rest = bytes.substr(**end);
  BodyReader whole(*head, 4096), slow(*head, 4096);
  const auto used = whole.feed(rest);
  std::size_t steps = 0;
  bool failed = false;
  while (!slow.done() && !failed && steps < rest.size()) {
    const auto one = slow.feed(rest.substr(steps, 1));
    failed = !one;
    if (one && *one != 1) std::abort();
    ++steps;
  }
  if (used.has_value() == failed || whole.done() != slow.done()) std::abort();
  if (whole.done() && (whole.take() != slow.take() || *used != steps)) std::abort();
  return 0;
}
