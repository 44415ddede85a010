#pragma once

#include "shared/base/value.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::sql {

// A parameter in PostgreSQL's text form; the server knows its type from the statement. Nullopt for null. Lists and maps
// are JSON. Not for bytes: they travel in binary form.
std::optional<std::string> postgres_text(const Value& value);

// The parameters of one run as libpq takes them: four arrays of the same length. What they point to is here and in
// `values`, which outlives this.
class PostgresParameters {
 public:
  explicit PostgresParameters(const ValueList& values);
  PostgresParameters(const PostgresParameters&) = delete;
  PostgresParameters& operator=(const PostgresParameters&) = delete;

  int count() const { return static_cast<int>(pointers_.size()); }
  const char* const* pointers() const { return pointers_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }
  std::optional<std::size_t> with_nul() const;  // the first text that PostgreSQL could not store

 private:
  std::vector<std::optional<std::string>> texts_;
  std::vector<const char*> pointers_;
  std::vector<int> lengths_, formats_;
};

inline constexpr unsigned kByteaType = 17;  // pg_type.dat

// A column of a row, in text form, by the oid of its type (pg_type.dat): see Connection for what becomes of it.
Value postgres_value(unsigned type, std::string_view text);

}  // namespace sallyport::connectors::sql
