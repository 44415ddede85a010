#pragma once

#include "shared/base/value.h"

namespace sallyport {

struct JsonLimits {
  std::size_t max_bytes = 16u << 20;
  std::size_t max_depth = 64;
};

// Strict JSON (RFC 8259), one value: valid UTF-8, no duplicate member names, bounded size and depth. Integers are
// exact, int64 if they fit, else uint64; longer ones are out of range, but for the written forms of doubles. What JSON
// has no form for is a marked object in stored JSON: {"$handle": kind, ...} is a Handle, {"$bytes": base64} bytes,
// {"$double": "NaN"} (or "Infinity", "-Infinity") that double.
// parse_json refuses these three member names, so foreign JSON can never forge one. parse_shown_json leaves marked
// objects as maps: for whoever shows stored JSON and uses nothing in it.
Result<Value> parse_json(std::string_view text, JsonLimits limits = {});
Result<Value> parse_stored_json(std::string_view text, JsonLimits limits = {});
Result<Value> parse_shown_json(std::string_view text, JsonLimits limits = {});
bool is_reserved_name(std::string_view member);  // one of the three

// Compact JSON with sorted member names and RFC 8785 number and string forms; integers are written exactly.
// bytes become base64, timestamps RFC 3339, durations "3.5s", types their name, handles {"$handle": kind, ...};
// map keys their text; NaN and infinities the strings "NaN", "Infinity", "-Infinity".
// Writes what is there, labels or not: call redacted() first where that matters.
std::string to_json(const Value& value);
// The same but for what parse_stored_json gives back with its type: bytes and what is no finite number are marked, and
// a whole double keeps a fraction ("2.0", "-0.0"). No map in it may have a reserved name.
std::string stored_json(const Value& value);
// As to_json, indented by two spaces, for people.
std::string to_pretty_json(const Value& value);

// RFC 8785 (JSON Canonicalization Scheme): names sorted by UTF-16 code units, ECMAScript numbers. Integers beyond 2^53
// are written exactly, which the RFC's I-JSON profile would forbid.
std::string canonical_json(const Value& value);

void append_json_string(std::string& out, std::string_view text);  // with quotes; replaces invalid UTF-8 by U+FFFD
std::string json_number(double number);                            // ECMAScript Number::toString, RFC 8785 §3.2.2.3

}  // namespace sallyport
