#pragma once

#include "shared/base/value.h"

#include <string>
#include <string_view>

namespace sallyport::test {

// Why `value` is not what the schema of this name in the served OpenAPI document says, with where; "" when it is.
// Stricter than JSON Schema: an object must not have a member that its schema does not list, unless the schema says
// additionalProperties: true or lists none. A keyword that this does not know is a reason too.
std::string misfit(std::string_view schema, const Value& value);

// The same, of a schema given by itself.
std::string misfit_by(const Value& schema, const Value& value);

}  // namespace sallyport::test
