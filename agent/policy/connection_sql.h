#pragma once

#include "agent/policy/connections.h"
#include "shared/recipe/fields.h"

#include <string_view>

namespace sallyport::policy {

// The fields of a connection of kind "sql", but for `kind` itself.
SqlConnection read_sql(yaml::FieldReader& fields, std::string_view directory);

}  // namespace sallyport::policy
