#include "relay/cli/upgrade_answer.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace sallyport::cli;

// What is an answer stays the same answer whatever follows it, and none is seen before its end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto answer = read_upgrade_answer(bytes, "sallyport-tunnel/1");
  if (!answer || !*answer) return 0;
  const auto& read = **answer;
  if (read.used > size || read.body.size() > 64u << 10 || (read.status == 101 && !read.body.empty())) std::abort();
  const auto exact = read_upgrade_answer(bytes.substr(0, read.used), "sallyport-tunnel/1");
  if (!exact || !*exact || (*exact)->used != read.used || (*exact)->body != read.body) std::abort();
  const auto short_of_it = read_upgrade_answer(bytes.substr(0, read.used - 1), "sallyport-tunnel/1");
  if (short_of_it && *short_of_it) std::abort();
  return 0;
}
