#include "shared/expr/records.h"

#include "shared/base/result.h"
#include "shared/expr/compare.h"
#include "shared/expr/time.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

struct Record {
  std::string_view name;
  std::string_view fields;  // separated by blanks
  Kind kind = Kind::null;   // of a wrapper's value
};

constexpr std::string_view kPrefix = "google.protobuf.";
constexpr std::array kRecords = {
    Record{"BoolValue", "value", Kind::boolean},
    Record{"BytesValue", "value", Kind::bytes},
    Record{"DoubleValue", "value", Kind::float64},
    Record{"FloatValue", "value", Kind::float64},
    Record{"Int32Value", "value", Kind::int64},
    Record{"Int64Value", "value", Kind::int64},
    Record{"UInt32Value", "value", Kind::uint64},
    Record{"UInt64Value", "value", Kind::uint64},
    Record{"StringValue", "value", Kind::string},
    Record{"Timestamp", "seconds nanos"},
    Record{"Duration", "seconds nanos"},
    Record{"Struct", "fields"},
    Record{"ListValue", "values"},
    Record{"Value", "null_value number_value string_value bool_value struct_value list_value"},
};

const Record* find_record(std::string_view name) {
  if (!name.starts_with(kPrefix)) return nullptr;
  const auto it = std::ranges::find(kRecords, name.substr(kPrefix.size()), &Record::name);
  return it == kRecords.end() ? nullptr : &*it;
}

Value default_of(Kind kind) {
  switch (kind) {
    case Kind::boolean: return Value(false);
    case Kind::bytes: return Value(Bytes());
    case Kind::float64: return Value(0.0);
    case Kind::int64: return Value(0);
    case Kind::uint64: return Value(std::uint64_t{0});
    case Kind::string: return Value("");
    default: return Value();
  }
}

struct Fields {
  std::span<const std::string> names;
  std::span<const Value> values;

  const Value* find(std::string_view name) const {
    const auto it = std::ranges::find(names, name);
    return it == names.end() ? nullptr : &values[static_cast<std::size_t>(it - names.begin())];
  }
};

Answer make_wrapper(const Record& record, const Fields& fields) {
  const auto* value = fields.find("value");
  if (value == nullptr) return default_of(record.kind);
  if (value->kind() != record.kind) return no_overload();
  const bool fits = record.name == "Int32Value"    ? std::in_range<std::int32_t>(value->as_int())
                    : record.name == "UInt32Value" ? std::in_range<std::uint32_t>(value->as_uint())
                                                   : true;
  if (!fits) return failed("range error: the value does not fit 32 bits");
  if (record.name == "FloatValue") return Value(static_cast<double>(static_cast<float>(value->as_double())));
  return *value;
}

std::expected<std::int64_t, Failure> int_field(const Fields& fields, std::string_view name) {
  const auto* value = fields.find(name);
  if (value == nullptr) return 0;
  if (!value->is(Kind::int64)) return no_overload();
  return value->as_int();
}

Answer make_time(const Record& record, const Fields& fields) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  SP_TRY(const auto seconds, int_field(fields, "seconds"));
  SP_TRY(const auto nanos, int_field(fields, "nanos"));
  if (record.name == "Duration") return duration_from(static_cast<__int128>(seconds) * kSecond + nanos);
  if (nanos < 0 || nanos >= kSecond) return failed("range: nanos of a timestamp are 0 to 999999999");
  return timestamp_from(seconds, nanos);
}

// `value` as a google.protobuf.Value holds it (cel-spec, "Dynamic Values").
Answer dynamic(const Value& value, Budget& budget) {
  SP_CHECK(budget.spend(1));
  switch (value.kind()) {
    case Kind::int64: return Value(static_cast<double>(value.as_int())).with_label(value.label());
    case Kind::uint64: return Value(static_cast<double>(value.as_uint())).with_label(value.label());
    case Kind::list: {
      ValueList elements;
      for (const auto& element : value.as_list()) {
        SP_TRY(auto made, dynamic(element, budget));
        elements.push_back(std::move(made));
      }
      return Value(std::move(elements)).with_label(value.label());
    }
    case Kind::map: {
      ValueMap entries;
      for (const auto& [key, element] : value.as_map()) {
        if (!key.is(Kind::string)) return failed("google.protobuf.Struct takes string keys only");
        SP_TRY(auto made, dynamic(element, budget));
        entries.emplace(key, std::move(made));
      }
      return Value(std::move(entries)).with_label(value.label());
    }
    default: return value;
  }
}

Answer make_value(const Fields& fields, Budget& budget) {
  if (fields.names.size() > 1) return failed("google.protobuf.Value takes one field");
  if (fields.names.empty() || fields.names[0] == "null_value") return Value();
  const Kind wanted = fields.names[0] == "number_value"   ? Kind::float64
                      : fields.names[0] == "string_value" ? Kind::string
                      : fields.names[0] == "bool_value"   ? Kind::boolean
                      : fields.names[0] == "struct_value" ? Kind::map
                                                          : Kind::list;
  if (!fields.values[0].is(wanted)) return no_overload();
  return dynamic(fields.values[0], budget);
}

Answer make_container(const Fields& fields, Value empty, Budget& budget) {
  if (fields.values.empty()) return empty;
  if (fields.values[0].kind() != empty.kind()) return no_overload();
  return dynamic(fields.values[0], budget);
}

}  // namespace

bool is_record(std::string_view name) { return find_record(name) != nullptr; }

bool has_field(std::string_view name, std::string_view field) {
  auto rest = find_record(name)->fields;
  while (!rest.empty()) {
    const auto blank = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, blank) == field) return true;
    rest.remove_prefix(std::min(blank + 1, rest.size()));
  }
  return false;
}

Type record_type(std::string_view name) {
  const auto& record = *find_record(name);
  if (record.name == "Timestamp") return Type(Type::Kind::timestamp);
  if (record.name == "Duration") return Type(Type::Kind::duration);
  if (record.name == "Struct") return Type::map(Type(Type::Kind::string), Type());
  if (record.name == "ListValue") return Type::list(Type());
  return Type();
}

Answer make_record(std::string_view name, std::span<const std::string> fields, std::span<const Value> values,
                   Budget& budget) {
  const auto& record = *find_record(name);
  const Fields given{fields, values};
  if (record.kind != Kind::null) return make_wrapper(record, given);
  if (record.name == "Struct") return make_container(given, Value(ValueMap()), budget);
  if (record.name == "ListValue") return make_container(given, Value(ValueList()), budget);
  return record.name == "Value" ? make_value(given, budget) : make_time(record, given);
}

}  // namespace sallyport::expr
