#include "shared/base/value.h"

#include <algorithm>

namespace sallyport {
namespace {

constexpr std::string_view kHidden = "***";

// int and uint share a rank so that equal numbers are one key.
int rank_of(const Value& key) {
  return key.is(Value::Kind::uint64) ? static_cast<int>(Value::Kind::int64) : static_cast<int>(key.kind());
}

bool is_number(const Value& v) { return v.is(Value::Kind::int64) || v.is(Value::Kind::uint64); }

bool number_less(const Value& a, const Value& b) {
  const bool a_signed = a.is(Value::Kind::int64), b_signed = b.is(Value::Kind::int64);
  if (a_signed && b_signed) return a.as_int() < b.as_int();
  if (a_signed) return std::cmp_less(a.as_int(), b.as_uint());
  if (b_signed) return std::cmp_less(a.as_uint(), b.as_int());
  return a.as_uint() < b.as_uint();
}

}  // namespace

Value::Value(ValueList v) : data_(std::make_shared<const ValueList>(std::move(v))) {}
Value::Value(ValueMap v) : data_(std::make_shared<const ValueMap>(std::move(v))) {}
Value::Value(Handle v) : data_(std::make_shared<const Handle>(std::move(v))) {}

bool KeyLess::operator()(const Value& a, const Value& b) const {
  if (rank_of(a) != rank_of(b)) return rank_of(a) < rank_of(b);
  if (is_number(a)) return number_less(a, b);
  if (a.is(Value::Kind::boolean)) return a.as_bool() < b.as_bool();
  if (a.is(Value::Kind::string)) return a.as_string() < b.as_string();
  return false;  // other kinds are never keys
}

const Value* Value::find(std::string_view key) const {
  const ValueMap* entries = is(Kind::map) ? &as_map() : is(Kind::handle) ? &as_handle().attributes : nullptr;
  if (entries == nullptr) return nullptr;
  const auto it = entries->find(Value(key));
  return it == entries->end() ? nullptr : &it->second;
}

bool operator==(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::bytes: return a.as_bytes() == b.as_bytes();
    case Value::Kind::list: return a.as_list() == b.as_list();
    case Value::Kind::map: return a.as_map() == b.as_map();
    case Value::Kind::handle: return a.as_handle() == b.as_handle();
    default: return a.data_ == b.data_;
  }
}

std::string_view to_string(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::null: return "null_type";
    case Value::Kind::boolean: return "bool";
    case Value::Kind::int64: return "int";
    case Value::Kind::uint64: return "uint";
    case Value::Kind::float64: return "double";
    case Value::Kind::string: return "string";
    case Value::Kind::bytes: return "bytes";
    case Value::Kind::list: return "list";
    case Value::Kind::map: return "map";
    case Value::Kind::timestamp: return "google.protobuf.Timestamp";
    case Value::Kind::duration: return "google.protobuf.Duration";
    case Value::Kind::type: return "type";
    case Value::Kind::handle: return "handle";
  }
  return "null_type";
}

Label deep_label(const Value& value) {
  Label label = value.label();
  if (value.is(Value::Kind::list)) {
    for (const auto& element : value.as_list()) label = label | deep_label(element);
  } else if (value.is(Value::Kind::map) || value.is(Value::Kind::handle)) {
    const auto& entries = value.is(Value::Kind::map) ? value.as_map() : value.as_handle().attributes;
    for (const auto& [key, entry] : entries) label = label | key.label() | deep_label(entry);
  }
  return label;
}

Value redacted(const Value& value) {
  if (value.label() != Label::none) return Value(kHidden);
  if (deep_label(value) == Label::none) return value;
  if (value.is(Value::Kind::list)) {
    ValueList list;
    std::ranges::transform(value.as_list(), std::back_inserter(list), redacted);
    return Value(std::move(list));
  }
  const bool is_map = value.is(Value::Kind::map);
  ValueMap entries;
  for (const auto& [key, entry] : is_map ? value.as_map() : value.as_handle().attributes) {
    entries.insert_or_assign(key.label() == Label::none ? key : Value(kHidden), redacted(entry));
  }
  if (is_map) return Value(std::move(entries));
  return Value(Handle{value.as_handle().kind, std::move(entries)});
}

}  // namespace sallyport
