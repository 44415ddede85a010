#pragma once

#include "shared/expr/failure.h"
#include "shared/expr/type.h"

#include <span>
#include <string_view>

// The few message types that stand for plain values and may be written as `Name{field: value}`: the wrappers
// (google.protobuf.Int32Value ...), Value, Struct, ListValue, Timestamp and Duration of google.protobuf.
namespace sallyport::expr {

bool is_record(std::string_view name);
bool has_field(std::string_view name, std::string_view field);  // of a record that is one
Type record_type(std::string_view name);

// Fields that are not given have their defaults. What a Struct, ListValue or Value holds is JSON: integers in it become
// double, maps in it have text keys.
Answer make_record(std::string_view name, std::span<const std::string> fields, std::span<const Value> values,
                   Budget& budget);

}  // namespace sallyport::expr
