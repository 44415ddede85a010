#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/bodies.h"
#include "shared/base/value.h"

#include <cstdint>
#include <string>
#include <string_view>

// What the messages of all brokers share.
namespace sallyport::connectors {

// What a step sends: its argument `text`, `json` or `body`, read into memory. Class "too_large" over `limit` bytes.
StepResult<std::string> message_body(const Arguments& arguments, Bodies& bodies, std::uint64_t limit);

// The data of a trigger has at most 256 KiB.
inline constexpr std::size_t kMostEventBytes = 240u << 10;

// `body`, `base64` and `json` of a message's event.
void add_body(ValueMap& data, std::string body);
// A header of one; left out when no JSON could have that name.
void add_header(ValueMap& headers, std::string_view name, Value value);
// Text when it is, else its bytes in base64.
Value text_or_base64(std::string_view bytes);
bool fits_event(const Value& data);

}  // namespace sallyport::connectors
