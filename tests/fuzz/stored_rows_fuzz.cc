// Stored rows from anywhere: no crash, and what is read as a row is written as the same bytes' worth of values again.
#include "agent/connectors/stored_cells.h"
#include "shared/base/text.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto record = as_text(std::as_bytes(std::span(data, size)));
  while (!record.empty()) {
    const auto value = take_stored_cell(record);
    if (!value) return 0;
    std::string written;
    append_stored_cell(written, *value);
    std::string_view again = written;
    const auto read = take_stored_cell(again);
    std::string twice;
    if (read) append_stored_cell(twice, *read);
    if (!read || !again.empty() || twice != written) std::abort();
  }
  return 0;
}
