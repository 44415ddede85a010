#pragma once

#include "shared/http/types.h"

#include <string_view>

namespace sallyport::http {

// Reads the header block that the gate let through once more, with Beast's parser: true when both readings agree on
// method, target, version, number of fields and framing. Nothing beyond the block is shown to it.
bool second_reading_agrees(const RequestHead& head, std::string_view block);

}  // namespace sallyport::http
