#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/bodies.h"
#include "shared/base/value.h"
#include "shared/recipe/event_data.h"

#include <cstdint>
#include <string>
#include <string_view>

// What the messages of all brokers share.
namespace sallyport::connectors {

// What a step sends: its argument `text`, `json` or `body`, read into memory. Class "too_large" over `limit` bytes.
StepResult<std::string> message_body(const Arguments& arguments, Bodies& bodies, std::uint64_t limit);

using recipe::add_body;
using recipe::fits_event;
using recipe::kMostEventBytes;
using recipe::text_or_base64;
// A header of one; left out when no JSON could have that name.
void add_header(ValueMap& headers, std::string_view name, Value value);

}  // namespace sallyport::connectors
