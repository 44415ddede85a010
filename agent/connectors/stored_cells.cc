#include "agent/connectors/stored_cells.h"

#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <algorithm>
#include <array>
#include <bit>

namespace sallyport::connectors {
namespace {

enum class Cell : char { null, no, yes, integer, natural, number, text, bytes, json };

template <class Number>
void append_number(std::string& out, Number number) {
  auto bytes = std::bit_cast<std::array<char, sizeof(Number)>>(number);
  if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
  out.append(bytes.data(), bytes.size());
}

template <class Number>
std::optional<Number> take_number(std::string_view& from) {
  std::array<char, sizeof(Number)> bytes{};
  if (from.size() < bytes.size()) return std::nullopt;
  std::ranges::copy(from.substr(0, bytes.size()), bytes.begin());
  if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
  from.remove_prefix(bytes.size());
  return std::bit_cast<Number>(bytes);
}

template <class Number>
std::optional<Value> take_value(std::string_view& from) {
  const auto number = take_number<Number>(from);
  if (!number) return std::nullopt;
  return Value(*number);
}

void append_cell(std::string& out, Cell cell) { out += static_cast<char>(cell); }

void append_sized(std::string& out, Cell cell, std::string_view content) {
  append_cell(out, cell);
  append_stored_size(out, content.size());
  out += content;
}

std::optional<Value> sized_value(Cell cell, std::string_view content) {
  if (cell == Cell::bytes) {
    const auto bytes = as_bytes(content);
    return Value(Bytes(bytes.begin(), bytes.end()));
  }
  if (cell == Cell::text) {
    if (!is_valid_utf8(content)) return std::nullopt;
    return Value(content);
  }
  auto value = parse_stored_json(content);
  if (!value) return std::nullopt;
  return *std::move(value);
}

}  // namespace

void append_stored_size(std::string& out, std::size_t size) { append_number(out, static_cast<std::uint32_t>(size)); }

std::size_t stored_size(std::string_view bytes) { return take_number<std::uint32_t>(bytes).value_or(0); }

void append_stored_cell(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return append_cell(out, Cell::null);
    case Value::Kind::boolean: return append_cell(out, value.as_bool() ? Cell::yes : Cell::no);
    case Value::Kind::int64: append_cell(out, Cell::integer); return append_number(out, value.as_int());
    case Value::Kind::uint64: append_cell(out, Cell::natural); return append_number(out, value.as_uint());
    case Value::Kind::float64: append_cell(out, Cell::number); return append_number(out, value.as_double());
    case Value::Kind::bytes: return append_sized(out, Cell::bytes, as_text(value.as_bytes()));
    case Value::Kind::string:
      if (is_valid_utf8(value.as_string())) return append_sized(out, Cell::text, value.as_string());
      return append_sized(out, Cell::text, with_valid_utf8(value.as_string()));
    default: return append_sized(out, Cell::json, stored_json(value));
  }
}

std::optional<Value> take_stored_cell(std::string_view& record) {
  if (record.empty()) return std::nullopt;
  const auto cell = static_cast<Cell>(record.front());
  record.remove_prefix(1);
  switch (cell) {
    case Cell::null: return Value();
    case Cell::no: return Value(false);
    case Cell::yes: return Value(true);
    case Cell::integer: return take_value<std::int64_t>(record);
    case Cell::natural: return take_value<std::uint64_t>(record);
    case Cell::number: return take_value<double>(record);
    case Cell::text:
    case Cell::bytes:
    case Cell::json: break;
    default: return std::nullopt;
  }
  const auto size = take_number<std::uint32_t>(record);
  if (!size || *size > record.size()) return std::nullopt;
  const auto content = record.substr(0, *size);
  record.remove_prefix(*size);
  return sized_value(cell, content);
}

}  // namespace sallyport::connectors
