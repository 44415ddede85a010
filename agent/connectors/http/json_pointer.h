#pragma once

#include "shared/base/value.h"

#include <string_view>

namespace sallyport::connectors::http {

// What a JSON Pointer (RFC 6901) leads to in `value`: "" the whole, "/data/items", "/0/a~1b". nullptr when there is
// nothing.
const Value* find_by_pointer(const Value& value, std::string_view pointer);
bool is_json_pointer(std::string_view text);

}  // namespace sallyport::connectors::http
