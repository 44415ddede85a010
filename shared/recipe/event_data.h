#pragma once

#include "shared/base/value.h"

#include <cstddef>
#include <string>
#include <string_view>

// What triggers make of the body of a message or a request.
namespace sallyport::recipe {

// The data of a trigger has at most 256 KiB.
inline constexpr std::size_t kMostEventBytes = 240u << 10;

// `body`, `base64` and `json` of its event.
void add_body(ValueMap& data, std::string body);
// Text when it is, else its bytes in base64.
Value text_or_base64(std::string_view bytes);
bool fits_event(const Value& data);

}  // namespace sallyport::recipe
