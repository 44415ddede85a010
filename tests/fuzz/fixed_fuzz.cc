// Records of fixed width in two pieces: no crash, no record of another length, and the same ones as in one piece.
#include "agent/connectors/fixed/fixed_records.h"
#include "shared/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

using namespace sallyport;
using namespace sallyport::connectors::fixed;

namespace {

std::vector<std::string> records_of(std::size_t length, std::string_view first, std::string_view second) {
  FixedRecords records(length);
  std::vector<std::string> all;
  bool failed = false;
  const auto drain = [&] {
    while (!failed) {
      auto record = records.next();
      failed = !record;
      if (failed || !*record) return;
      all.push_back(**std::move(record));
    }
  };
  records.feed(first);
  drain();
  records.feed(second);
  drain();
  records.finish();
  drain();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::size_t length = data[0] % 16;
  const auto whole = records_of(length, text, {});
  const auto cut = std::min<std::size_t>(data[1], text.size());
  if (whole != records_of(length, text.substr(0, cut), text.substr(cut))) std::abort();
  for (const auto& record : whole) {
    if (!is_valid_utf8(record) || (length > 0 && utf8_length(record) != length)) std::abort();
  }
  return 0;
}
