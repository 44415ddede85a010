#include "agent/connectors/amqp/field_value.h"

#include "agent/connectors/amqp/connection.h"
#include "agent/connectors/message.h"

#include <span>

namespace sallyport::connectors::amqp {
namespace {

ValueList list_of(const amqp_array_t& array, int depth);

Value value_of(const amqp_field_value_t& field, int depth) {
  const auto& value = field.value;
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN: return Value(value.boolean != 0);
    case AMQP_FIELD_KIND_I8: return Value(std::int64_t{value.i8});
    case AMQP_FIELD_KIND_U8: return Value(std::int64_t{value.u8});
    case AMQP_FIELD_KIND_I16: return Value(std::int64_t{value.i16});
    case AMQP_FIELD_KIND_U16: return Value(std::int64_t{value.u16});
    case AMQP_FIELD_KIND_I32: return Value(std::int64_t{value.i32});
    case AMQP_FIELD_KIND_U32: return Value(std::int64_t{value.u32});
    case AMQP_FIELD_KIND_I64: return Value(std::int64_t{value.i64});
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP: return Value(std::uint64_t{value.u64});
    case AMQP_FIELD_KIND_F32: return Value(double{value.f32});
    case AMQP_FIELD_KIND_F64: return Value(value.f64);
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES: return text_or_base64(text_of(value.bytes));
    case AMQP_FIELD_KIND_TABLE: return depth > 0 ? Value(values_of(value.table, depth - 1)) : Value();
    case AMQP_FIELD_KIND_ARRAY: return depth > 0 ? Value(list_of(value.array, depth - 1)) : Value();
    default: return {};
  }
}

ValueList list_of(const amqp_array_t& array, int depth) {
  ValueList list;
  for (const auto& entry : std::span(array.entries, static_cast<std::size_t>(array.num_entries)))
    list.push_back(value_of(entry, depth));
  return list;
}

}  // namespace

ValueMap values_of(const amqp_table_t& table, int depth) {
  ValueMap map;
  for (const auto& entry : std::span(table.entries, static_cast<std::size_t>(table.num_entries)))
    add_header(map, text_of(entry.key), value_of(entry.value, depth));
  return map;
}

}  // namespace sallyport::connectors::amqp
