#include "agent/connectors/sql/postgres_values.h"

#include "shared/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sallyport::connectors::sql {
namespace {

enum Type : unsigned {
  kBool = 16,
  kBytea = kByteaType,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kFloat4 = 700,
  kFloat8 = 701,
  kTimestamp = 1114,
  kTimestampTz = 1184
};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "2026-01-31 09:30:00.5+00" with the session's zone UTC; "infinity" and years before Christ stay as the server writes
// them.
std::string timestamp_text(std::string_view text, bool has_zone) {
  std::string out(text);
  if (out.size() < 19 || out[10] != ' ' || out.contains("BC")) return out;
  out[10] = 'T';
  if (has_zone && out.ends_with("+00")) out.replace(out.size() - 3, 3, "Z");
  return out;
}

}  // namespace

std::optional<std::string> postgres_text(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return std::nullopt;
    case Value::Kind::string: return value.as_string();
    case Value::Kind::boolean: return value.as_bool() ? "true" : "false";
    case Value::Kind::timestamp:
    case Value::Kind::duration:
    case Value::Kind::type: {
      const auto quoted = to_json(value);
      return quoted.substr(1, quoted.size() - 2);
    }
    case Value::Kind::float64: {
      const auto text = to_json(value);
      if (value.as_double() == 0 && std::signbit(value.as_double())) return "-0";
      return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
    }
    default: return to_json(value);
  }
}

PostgresParameters::PostgresParameters(const ValueList& values) {
  for (const auto& value : values) {
    const bool binary = value.is(Value::Kind::bytes);
    texts_.push_back(binary ? std::nullopt : postgres_text(value));
    lengths_.push_back(binary ? static_cast<int>(value.as_bytes().size()) : 0);  // a text ends with its NUL
    formats_.push_back(binary ? 1 : 0);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Bytes of no length are not null, and may lie nowhere.
    if (formats_[i] == 1) {
      pointers_.push_back(lengths_[i] == 0 ? "" : as_text(values[i].as_bytes()).data());
    } else {
      const auto& text = texts_[i];
      pointers_.push_back(text ? text->c_str() : nullptr);
    }
  }
}

std::optional<std::size_t> PostgresParameters::with_nul() const {
  const auto it = std::ranges::find_if(texts_, [](const auto& text) { return text && text->contains('\0'); });
  if (it == texts_.end()) return std::nullopt;
  return static_cast<std::size_t>(it - texts_.begin());
}

Value postgres_value(unsigned type, std::string_view text) {
  switch (type) {
    case kBool: return Value(text == "t");
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
      if (const auto exact = number<std::int64_t>(text)) return Value(*exact);
      return Value(text);
    case kFloat4:
    case kFloat8:
      if (const auto inexact = number<double>(text)) return Value(*inexact);
      return Value(text);
    case kBytea:
      if (const auto bytes = text.starts_with("\\x") ? from_hex(text.substr(2)) : fail(Errc::invalid, ""))
        return Value(*bytes);
      return Value(text);
    case kTimestamp: return Value(timestamp_text(text, false));
    case kTimestampTz: return Value(timestamp_text(text, true));
    default: return Value(text);
  }
}

}  // namespace sallyport::connectors::sql
