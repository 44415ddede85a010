#pragma once

#include "shared/base/value.h"
#include "shared/http/problem.h"

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::api {

enum class FieldType { text, integer, boolean, object, texts };  // texts: a list of text

// What a text must look like, beyond its length.
enum class Format {
  any,       // valid UTF-8 without control characters or such as turn text around, not blank at its ends
  document,  // any UTF-8, line breaks and tabs too
  secret,    // the same, of one member of a body that is not kept for repeated calls: it is in Call::secret alone
  slug,      // lower-case letters, digits and hyphens, a letter first: names that recipes use
  email,
  id,        // an id whose prefix is Field::among[0]
  time,      // RFC 3339
  duration,  // "1h"
  cursor,    // where a page of this list ended; "" is the beginning
};

enum class Presence { optional, required, clearable };  // clearable: may be absent, or null

struct Schema;

// One member of a request body, or one query or path parameter, as data. `least` and `most` count code points of a
// text, entries of a list (each of at most 256 code points), or bound an integer's value.
struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  Presence presence = Presence::optional;
  std::int64_t least = 0;
  std::int64_t most = 256;
  Format format = Format::any;
  std::span<const std::string_view> among = {};  // the only values of a text or of a list's entries; a cursor's parts
  const Schema* members = nullptr;               // of an object; null: it may have any
  // What else is wrong with a text or an entry of a list, worded as by the formats; "" when nothing is.
  std::string (*fault)(std::string_view text) = nullptr;
};

// The members a JSON object may have. Anything else in it is refused, with the nearest right name.
struct Schema {
  std::string_view name;  // as docs/api/openapi.yaml calls it
  std::span<const Field> fields;
};

inline constexpr Schema kNothing{"Nothing", {}};  // a body that may be absent or {}

using Violations = std::vector<http::ProblemItem>;
inline constexpr std::size_t kMostViolations = 20;

// Every violation at once, up to kMostViolations, each with its place ("/email", "/limits/idle"). Messages never repeat
// values.
Violations check_object(const Schema& schema, const Value& value);
// What is wrong with a text; "": nothing. It never repeats the text.
std::string fault_of_text(const Field& field, std::string_view text);
// One value that came as text (path, query): converted and checked, or what is wrong with it.
std::expected<Value, std::string> read_text_value(const Field& field, std::string_view text);

}  // namespace sallyport::api
