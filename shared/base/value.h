#pragma once

#include "shared/base/text.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace sallyport {

class Value;
using ValueList = std::vector<Value>;

// What a value may reveal. Labels travel with the value through every expression (union of the inputs' labels).
enum class Label : std::uint8_t { none = 0, secret = 1, masked = 2 };
constexpr Label operator|(Label a, Label b) { return static_cast<Label>(static_cast<int>(a) | static_cast<int>(b)); }
constexpr bool has(Label labels, Label one) { return (static_cast<int>(labels) & static_cast<int>(one)) != 0; }

struct Null {
  friend bool operator==(Null, Null) = default;
};
// A point in time, 0001-01-01T00:00:00Z .. 9999-12-31T23:59:59.999999999Z; nanos in [0, 1e9).
struct Timestamp {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};
// A signed length of time; `nanos` has the sign of `seconds`.
struct Duration {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend auto operator<=>(const Duration&, const Duration&) = default;
};
// The name of a type as a value: `type(1) == int`.
struct TypeName {
  std::string name;
  friend bool operator==(const TypeName&, const TypeName&) = default;
};

// Orders keys of a map: by kind first, then by value; int and uint of equal value are the same key.
struct KeyLess {
  bool operator()(const Value& a, const Value& b) const;
};
// Keys are bool, int64, uint64 or string; JSON objects have string keys only.
using ValueMap = std::map<Value, Value, KeyLess>;

// A body that is not in memory: a file, a row set, a spooled result. Never bytes: only what is needed to open it again,
// also after a restart. Kind names who can open it ("file", "rows", "spool"); attributes are visible to expressions
// (`trigger.file.path`).
struct Handle;

// One value of the recipe world: JSON's types plus exact int64/uint64, bytes, timestamp, duration, type and handle.
// Immutable in use and cheap to copy (lists, maps and handles are shared). Not synchronised; pass copies between
// threads.
class Value {
 public:
  enum class Kind {
    null,
    boolean,
    int64,
    uint64,
    float64,
    string,
    bytes,
    list,
    map,
    timestamp,
    duration,
    type,
    handle
  };

  Value() = default;
  Value(Null) {}
  Value(bool v) : data_(v) {}
  Value(std::int64_t v) : data_(v) {}
  Value(std::uint64_t v) : data_(v) {}
  Value(int v) : data_(static_cast<std::int64_t>(v)) {}
  Value(double v) : data_(v) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(Bytes v) : data_(std::make_shared<const Bytes>(std::move(v))) {}
  Value(ValueList v);
  Value(ValueMap v);
  Value(Timestamp v) : data_(v) {}
  Value(Duration v) : data_(v) {}
  Value(TypeName v) : data_(std::move(v)) {}
  Value(Handle v);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind k) const { return kind() == k; }
  bool is_null() const { return is(Kind::null); }

  // Each throws std::bad_variant_access unless kind() matches: ask first.
  bool as_bool() const { return std::get<bool>(data_); }
  std::int64_t as_int() const { return std::get<std::int64_t>(data_); }
  std::uint64_t as_uint() const { return std::get<std::uint64_t>(data_); }
  double as_double() const { return std::get<double>(data_); }
  const std::string& as_string() const { return std::get<std::string>(data_); }
  const Bytes& as_bytes() const { return *std::get<std::shared_ptr<const Bytes>>(data_); }
  const ValueList& as_list() const { return *std::get<std::shared_ptr<const ValueList>>(data_); }
  const ValueMap& as_map() const { return *std::get<std::shared_ptr<const ValueMap>>(data_); }
  Timestamp as_timestamp() const { return std::get<Timestamp>(data_); }
  Duration as_duration() const { return std::get<Duration>(data_); }
  const TypeName& as_type() const { return std::get<TypeName>(data_); }
  const Handle& as_handle() const { return *std::get<std::shared_ptr<const Handle>>(data_); }

  // The entry of a map (or attribute of a handle) named `key`; nullptr when absent or when this is neither.
  const Value* find(std::string_view key) const;

  Label label() const { return label_; }  // of this value itself, not of what it contains
  Value with_label(Label label) const {   // adds to the labels it has
    Value copy = *this;
    copy.label_ = copy.label_ | label;
    return copy;
  }

  // Same kind and same content; labels do not count. (Numeric equality across kinds is the expression language's
  // business.)
  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<Null, bool, std::int64_t, std::uint64_t, double, std::string, std::shared_ptr<const Bytes>,
               std::shared_ptr<const ValueList>, std::shared_ptr<const ValueMap>, Timestamp, Duration, TypeName,
               std::shared_ptr<const Handle>>
      data_;
  Label label_ = Label::none;
};

struct Handle {
  std::string kind;
  ValueMap attributes;
  friend bool operator==(const Handle&, const Handle&) = default;
};

std::string_view to_string(
    Value::Kind kind);  // "int", "uint", "double", "list", ... as the expression language names them

// The union of the labels of `value` and of everything inside it.
Label deep_label(const Value& value);

// A copy in which every part labelled secret or masked is the string "***": what may be shown and stored.
Value redacted(const Value& value);

}  // namespace sallyport
