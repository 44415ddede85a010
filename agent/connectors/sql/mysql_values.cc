#include "agent/connectors/sql/mysql_values.h"

#include "agent/connectors/sql/libmariadb.h"
#include "agent/connectors/sql/value_parts.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace sallyport::connectors::sql {
namespace {

constexpr unsigned kBinary = 63;  // the "character set" of bytes
constexpr auto kJson = static_cast<enum_field_types>(245);

MYSQL_TIME time_of(Timestamp at) {
  const auto time = civil_time(at);
  MYSQL_TIME out{};
  out.year = static_cast<unsigned>(time.year);
  out.month = time.month;
  out.day = time.day;
  out.hour = time.hour;
  out.minute = time.minute;
  out.second = time.second;
  out.second_part = time.micros;
  out.time_type = MYSQL_TIMESTAMP_DATETIME;
  return out;
}

std::string fraction(unsigned long micros, unsigned decimals) {
  if (decimals > 6) decimals = micros == 0 ? 0 : 6;  // of an expression: not told
  return decimals == 0 ? "" : fmt::format(".{:06}", micros).substr(0, decimals + 1);
}

bool is_time(enum_field_types type) {
  return type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE || type == MYSQL_TYPE_DATETIME ||
         type == MYSQL_TYPE_TIMESTAMP || type == MYSQL_TYPE_TIME;
}

bool is_integer(enum_field_types type) {
  return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
         type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

bool is_bytes(const MYSQL_FIELD& field) {
  const bool numbers = field.type == MYSQL_TYPE_DECIMAL || field.type == MYSQL_TYPE_NEWDECIMAL || field.type == kJson;
  return field.charsetnr == kBinary && !numbers;
}

// Bits come as bytes, the highest first.
Value bits(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = (number << 8) | static_cast<unsigned char>(c);
  return number > INT64_MAX ? Value(number) : Value(static_cast<std::int64_t>(number));
}

// The double whose shortest form is that of the float: 0.1 stays 0.1.
double widened(float number) {
  if (!std::isfinite(number)) return number;
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  double wide = 0;
  std::from_chars(text.data(), end, wide);
  return wide;
}

}  // namespace

std::string mysql_time_text(const MYSQL_TIME& time, enum_field_types type, unsigned decimals) {
  if (type == MYSQL_TYPE_TIME) {
    return fmt::format("{}{:02}:{:02}:{:02}{}", time.neg != 0 ? "-" : "", time.day * 24 + time.hour, time.minute,
                       time.second, fraction(time.second_part, decimals));
  }
  auto date = fmt::format("{:04}-{:02}-{:02}", time.year, time.month, time.day);
  if (type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE) return date;
  const bool no_date = time.month == 0 || time.day == 0;
  return fmt::format("{}{}{:02}:{:02}:{:02}{}", date, no_date ? ' ' : 'T', time.hour, time.minute, time.second,
                     fraction(time.second_part, decimals));
}

MysqlParameters::MysqlParameters(const ValueList& values) : binds_(values.size()) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    bind(binds_[i], values[i]);
    const bool formless = values[i].is(Value::Kind::float64) && !std::isfinite(values[i].as_double());
    if (formless && !without_form_) without_form_ = i;
  }
}

template <class T>
void MysqlParameters::bind_kept(MYSQL_BIND& into, T value, enum_field_types type) {
  into.buffer = &std::get<T>(kept_.emplace_back(std::move(value)));
  into.buffer_type = type;
}

void MysqlParameters::bind_text(MYSQL_BIND& into, std::string_view text, enum_field_types type) {
  into.buffer = const_cast<char*>(text.empty() ? "" : text.data());  // libmariadb only reads it
  into.buffer_length = into.length_value = text.size();
  into.length = &into.length_value;
  into.buffer_type = type;
}

void MysqlParameters::bind(MYSQL_BIND& into, const Value& value) {
  into = MYSQL_BIND{};
  switch (value.kind()) {
    case Value::Kind::null: into.buffer_type = MYSQL_TYPE_NULL; return;
    case Value::Kind::boolean: return bind_kept<std::int64_t>(into, value.as_bool() ? 1 : 0, MYSQL_TYPE_LONGLONG);
    case Value::Kind::int64: return bind_kept(into, value.as_int(), MYSQL_TYPE_LONGLONG);
    case Value::Kind::uint64: into.is_unsigned = 1; return bind_kept(into, value.as_uint(), MYSQL_TYPE_LONGLONG);
    case Value::Kind::float64: return bind_kept(into, value.as_double(), MYSQL_TYPE_DOUBLE);
    case Value::Kind::timestamp: return bind_kept(into, time_of(value.as_timestamp()), MYSQL_TYPE_DATETIME);
    case Value::Kind::string: return bind_text(into, value.as_string(), MYSQL_TYPE_STRING);
    case Value::Kind::bytes: return bind_text(into, as_text(value.as_bytes()), MYSQL_TYPE_BLOB);
    default: break;
  }
  kept_.emplace_back(plain_json(value));
  bind_text(into, std::get<std::string>(kept_.back()), MYSQL_TYPE_STRING);
}

MysqlRow::MysqlRow(MYSQL_STMT* statement, const MYSQL_FIELD* fields, unsigned count)
    : statement_(statement), fields_(fields), cells_(count), binds_(count) {
  for (unsigned i = 0; i < count; ++i) {
    auto& cell = cells_[i];
    auto& bind = binds_[i];
    bind.length = &cell.length;
    bind.is_null = &cell.is_null;
    bind.error = &cell.error;
    const auto type = fields[i].type;
    bind.buffer_type = MYSQL_TYPE_BLOB;  // of no length: fetched by itself
    if (is_integer(type)) {
      bind.buffer_type = MYSQL_TYPE_LONGLONG;
      bind.is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0 ? 1 : 0;
      bind.buffer = &cell.fixed.emplace<std::int64_t>();
    } else if (type == MYSQL_TYPE_DOUBLE) {
      bind.buffer_type = type;
      bind.buffer = &cell.fixed.emplace<double>();
    } else if (type == MYSQL_TYPE_FLOAT) {
      bind.buffer_type = type;
      bind.buffer = &cell.fixed.emplace<float>();
    } else if (is_time(type)) {
      bind.buffer_type = type == MYSQL_TYPE_NEWDATE ? MYSQL_TYPE_DATE : type;
      bind.buffer = &cell.fixed.emplace<MYSQL_TIME>();
      bind.buffer_length = sizeof(MYSQL_TIME);
    }
  }
}

bool MysqlRow::bind() { return libmariadb().mysql_stmt_bind_result(statement_, binds_.data()) == 0; }

std::vector<std::string> MysqlRow::names() const {
  std::vector<std::string> names;
  names.reserve(cells_.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) names.emplace_back(fields_[i].name, fields_[i].name_length);
  return names;
}

std::uint64_t MysqlRow::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& cell : cells_) bytes += cell.is_null != 0 ? 0 : cell.length;
  return bytes;
}

ValueList MysqlRow::values() {
  ValueList values;
  for (unsigned i = 0; i < cells_.size(); ++i) values.push_back(cells_[i].is_null != 0 ? Value() : value(i));
  return values;
}

std::string MysqlRow::text(unsigned column) {
  std::string text(cells_[column].length, '\0');
  unsigned long length = 0;
  my_bool is_null = 0, error = 0;
  MYSQL_BIND into{};
  into.buffer_type = MYSQL_TYPE_BLOB;
  into.buffer = text.data();
  into.buffer_length = text.size();
  into.length = &length;
  into.is_null = &is_null;
  into.error = &error;
  if (!text.empty()) libmariadb().mysql_stmt_fetch_column(statement_, &into, column, 0);
  return text;
}

Value MysqlRow::value(unsigned column) {
  const auto& field = fields_[column];
  const auto& fixed = cells_[column].fixed;
  if (is_integer(field.type)) {
    const auto number = std::get<std::int64_t>(fixed);
    return binds_[column].is_unsigned != 0 && number < 0 ? Value(static_cast<std::uint64_t>(number)) : Value(number);
  }
  if (field.type == MYSQL_TYPE_DOUBLE) return Value(std::get<double>(fixed));
  if (field.type == MYSQL_TYPE_FLOAT) return Value(widened(std::get<float>(fixed)));
  if (is_time(field.type)) return Value(mysql_time_text(std::get<MYSQL_TIME>(fixed), field.type, field.decimals));
  auto content = text(column);
  if (field.type == MYSQL_TYPE_BIT) return bits(content);
  if (!is_bytes(field)) return Value(std::move(content));
  const auto bytes = as_bytes(content);
  return Value(Bytes(bytes.begin(), bytes.end()));
}

}  // namespace sallyport::connectors::sql
