#pragma once

#include "shared/base/value.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::connectors {

// The cells of stored rows (stored_rows.h): one value each, with its type. No IO.
void append_stored_cell(std::string& out, const Value& value);
// Takes one cell from the front of `record`; nothing when there is none that append_stored_cell() could have written.
std::optional<Value> take_stored_cell(std::string_view& record);

// A length: 4 bytes, little-endian.
void append_stored_size(std::string& out, std::size_t size);
std::size_t stored_size(std::string_view bytes);  // of exactly 4

}  // namespace sallyport::connectors
