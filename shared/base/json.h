#pragma once

#include "shared/base/value.h"

namespace sallyport {

struct JsonLimits {
  std::size_t max_bytes = 16u << 20;
  std::size_t max_depth = 64;
};

// Strict JSON (RFC 8259), one value: valid UTF-8, no duplicate member names, bounded size and depth. Integers are
// exact, int64 if they fit, else uint64; longer ones are out of range, but for the written forms of doubles.
// {"$handle": kind, ...} becomes a Handle only with parse_stored_json: foreign JSON can never forge one.
Result<Value> parse_json(std::string_view text, JsonLimits limits = {});
Result<Value> parse_stored_json(std::string_view text, JsonLimits limits = {});

// Compact JSON with sorted member names and RFC 8785 number and string forms; integers are written exactly.
// bytes become base64, timestamps RFC 3339, durations "3.5s", types their name, handles {"$handle": kind, ...};
// map keys their text; NaN and infinities the strings "NaN", "Infinity", "-Infinity".
// Writes what is there, labels or not: call redacted() first where that matters.
std::string to_json(const Value& value);
// The same indented by two spaces, for people.
std::string to_pretty_json(const Value& value);

// RFC 8785 (JSON Canonicalization Scheme): names sorted by UTF-16 code units, ECMAScript numbers. Integers beyond 2^53
// are written exactly, which the RFC's I-JSON profile would forbid.
std::string canonical_json(const Value& value);

void append_json_string(std::string& out, std::string_view text);  // with quotes; replaces invalid UTF-8 by U+FFFD
std::string json_number(double number);                            // ECMAScript Number::toString, RFC 8785 §3.2.2.3

}  // namespace sallyport
