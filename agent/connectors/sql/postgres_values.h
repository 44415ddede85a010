#pragma once

#include "shared/base/value.h"

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::connectors::sql {

// A parameter in PostgreSQL's text form; the server knows its type from the statement. Nullopt for null. Bytes are hex,
// lists and maps JSON.
std::optional<std::string> postgres_text(const Value& value);

// A column of a row, in text form, by the oid of its type (pg_type.dat): see Connection for what becomes of it.
Value postgres_value(unsigned type, std::string_view text);

}  // namespace sallyport::connectors::sql
