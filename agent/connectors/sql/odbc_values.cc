#include "agent/connectors/sql/odbc_values.h"

#include "agent/connectors/sql/utf16.h"
#include "agent/connectors/sql/value_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using policy::OdbcServer;

constexpr SQLSMALLINT kServerTimeWithZone = -155;  // SQL_SS_TIMESTAMPOFFSET
constexpr std::size_t kShortText = 4'000;          // characters; longer ones are of a long type
constexpr std::size_t kShortBytes = 8'000;
constexpr std::size_t kPiece = 8u << 10;

SQL_TIMESTAMP_STRUCT time_of(Timestamp at) {
  const auto time = civil_time(at);
  SQL_TIMESTAMP_STRUCT out{};
  out.year = static_cast<SQLSMALLINT>(time.year);
  out.month = static_cast<SQLUSMALLINT>(time.month);
  out.day = static_cast<SQLUSMALLINT>(time.day);
  out.hour = static_cast<SQLUSMALLINT>(time.hour);
  out.minute = static_cast<SQLUSMALLINT>(time.minute);
  out.second = static_cast<SQLUSMALLINT>(time.second);
  out.fraction = time.micros * 1000;
  return out;
}

std::string double_text(double number) {
  if (number == 0 && std::signbit(number)) return "-0";
  return plain_json(Value(number));
}

bool is_integer(SQLSMALLINT type) {
  return type == SQL_TINYINT || type == SQL_SMALLINT || type == SQL_INTEGER || type == SQL_BIGINT;
}

// Reads the columns of one row, in their order.
class RowReading {
 public:
  RowReading(SQLHSTMT statement, std::uint64_t most) : statement_(statement), most_(most) {}

  // nullopt: the driver refuses.
  StepResult<std::optional<Value>> read(SQLUSMALLINT number, const OdbcColumn& column) {
    if (column.type == SQL_BIT)
      return fixed<unsigned char>(number, SQL_C_BIT, [](auto bit) { return Value(bit != 0); });
    if (is_integer(column.type) && column.is_unsigned)
      return fixed<std::uint64_t>(number, SQL_C_UBIGINT, [](auto given) {
        return given > INT64_MAX ? Value(given) : Value(static_cast<std::int64_t>(given));
      });
    if (is_integer(column.type))
      return fixed<std::int64_t>(number, SQL_C_SBIGINT, [](auto given) { return Value(given); });
    if (column.type == SQL_DOUBLE || column.type == SQL_FLOAT)
      return fixed<double>(number, SQL_C_DOUBLE, [](auto given) { return Value(given); });
    if (column.type == SQL_TYPE_TIMESTAMP)
      return fixed<SQL_TIMESTAMP_STRUCT>(number, SQL_C_TYPE_TIMESTAMP, [&](const auto& given) {
        return Value(odbc_time_text(given, column.has_zone));
      });
    if (is_binary(column.type)) return bytes(number);
    return text(number, column);
  }
  std::uint64_t bytes_read() const { return bytes_; }

 private:
  enum class Got { piece, last, null, refused };

  template <class T, class Make>
  StepResult<std::optional<Value>> fixed(SQLUSMALLINT number, SQLSMALLINT c_type, Make make) {
    T into{};
    SQLLEN length = 0;
    const auto got = libodbc().SQLGetData(statement_, number, c_type, &into, sizeof(into), &length);
    if (!SQL_SUCCEEDED(got)) return std::nullopt;
    bytes_ += sizeof(into);
    return std::optional(length == SQL_NULL_DATA ? Value() : make(into));
  }

  // Appends what the driver gives next to `into`, whose elements it ends with `endings` zeros of its own.
  template <class Container>
  Got piece(SQLUSMALLINT number, SQLSMALLINT c_type, Container& into, std::size_t endings) {
    using Element = typename Container::value_type;
    constexpr auto kElements = kPiece / sizeof(Element);
    const auto before = into.size();
    into.resize(before + kElements);
    SQLLEN left = 0;
    const auto got = libodbc().SQLGetData(statement_, number, c_type, into.data() + before,
                                          static_cast<SQLLEN>(kElements * sizeof(Element)), &left);
    const auto room = kElements - endings;
    const bool all = left != SQL_NO_TOTAL && left >= 0 && static_cast<std::size_t>(left) / sizeof(Element) <= room;
    into.resize(!SQL_SUCCEEDED(got) || left == SQL_NULL_DATA ? before
                : all                                        ? before + static_cast<std::size_t>(left) / sizeof(Element)
                                                             : before + room);
    bytes_ += into.size() - before;  // a unit of UTF-16 is a byte of UTF-8 at least
    if (got == SQL_NO_DATA) return Got::last;
    if (!SQL_SUCCEEDED(got)) return Got::refused;
    if (left == SQL_NULL_DATA) return Got::null;
    return all ? Got::last : Got::piece;
  }

  template <class Container>
  StepResult<Got> whole(SQLUSMALLINT number, SQLSMALLINT c_type, Container& into, std::size_t endings) {
    for (;;) {
      const auto got = piece(number, c_type, into, endings);
      if (got != Got::piece) return got;
      if (bytes_ > most_) return step_fail("too_large", "a row is too large");
    }
  }

  StepResult<std::optional<Value>> bytes(SQLUSMALLINT number) {
    Bytes content;
    SP_TRY(const auto got, whole(number, SQL_C_BINARY, content, 0));
    if (got == Got::refused) return std::nullopt;
    return std::optional(got == Got::null ? Value() : Value(std::move(content)));
  }

  StepResult<std::optional<Value>> text(SQLUSMALLINT number, const OdbcColumn& column) {
    std::vector<unsigned short> units;
    SP_TRY(const auto got, whole(number, SQL_C_WCHAR, units, 1));
    if (got == Got::refused) return std::nullopt;
    if (got == Got::null) return std::optional(Value());
    auto content = from_utf16(units.data(), units.size());
    if (!content) return step_fail("format", fmt::format("the column \"{}\" holds text that is none", column.name));
    bytes_ += content->size() - units.size();
    if (column.type == SQL_REAL) return std::optional(number_or_text(*std::move(content)));
    if (column.type == kServerTimeWithZone) return std::optional(Value(offset_time_text(*std::move(content))));
    return std::optional(Value(*std::move(content)));
  }

  // A float by its digits: 0.1 stays 0.1.
  static Value number_or_text(std::string content) {
    double number = 0;
    const auto* end = content.data() + content.size();
    const auto [stop, problem] = std::from_chars(content.data(), end, number);
    return problem == std::errc() && stop == end ? Value(number) : Value(std::move(content));
  }

  SQLHSTMT statement_;
  std::uint64_t most_, bytes_ = 0;
};

}  // namespace

bool is_binary(SQLSMALLINT type) { return type == SQL_BINARY || type == SQL_VARBINARY || type == SQL_LONGVARBINARY; }

OdbcParameters::Form OdbcParameters::text_form(Cell& cell, std::string_view text) {
  auto& units = cell.value.emplace<Text>(to_utf16(text));
  const auto count = units.size();
  if (units.empty()) units.push_back(0);  // an address, and no length
  const SQLSMALLINT type = count > kShortText ? SQL_WLONGVARCHAR : SQL_WVARCHAR;
  return {SQL_C_WCHAR,
          {type, std::max<SQLULEN>(count, 1), 0},
          units.data(),
          static_cast<SQLLEN>(count * sizeof(unsigned short))};
}

OdbcParameters::Form OdbcParameters::form_of(Cell& cell, const Value& value) const {
  switch (value.kind()) {
    case Value::Kind::null: return {SQL_C_CHAR, {SQL_VARCHAR, 1, 0}, nullptr, SQL_NULL_DATA};
    case Value::Kind::boolean:
      return {SQL_C_SBIGINT, {SQL_BIGINT, 0, 0}, &cell.value.emplace<std::int64_t>(value.as_bool() ? 1 : 0), 8};
    case Value::Kind::int64:
      return {SQL_C_SBIGINT, {SQL_BIGINT, 0, 0}, &cell.value.emplace<std::int64_t>(value.as_int()), 8};
    case Value::Kind::uint64:
      if (value.as_uint() > INT64_MAX) return text_form(cell, std::to_string(value.as_uint()));
      return {SQL_C_SBIGINT,
              {SQL_BIGINT, 0, 0},
              &cell.value.emplace<std::int64_t>(static_cast<std::int64_t>(value.as_uint())),
              8};
    case Value::Kind::float64:  // psqlODBC would write it with 15 digits
      if (server_ == OdbcServer::postgres) return text_form(cell, double_text(value.as_double()));
      return {SQL_C_DOUBLE, {SQL_DOUBLE, 15, 0}, &cell.value.emplace<double>(value.as_double()), 8};
    case Value::Kind::timestamp:
      return {SQL_C_TYPE_TIMESTAMP,
              {SQL_TYPE_TIMESTAMP, 26, 6},
              &cell.value.emplace<SQL_TIMESTAMP_STRUCT>(time_of(value.as_timestamp())),
              sizeof(SQL_TIMESTAMP_STRUCT)};
    case Value::Kind::string: return text_form(cell, value.as_string());
    case Value::Kind::bytes: {
      auto& bytes = cell.value.emplace<Bytes>(value.as_bytes());
      const auto count = bytes.size();
      if (bytes.empty()) bytes.emplace_back();
      const SQLSMALLINT type = count > kShortBytes ? SQL_LONGVARBINARY : SQL_VARBINARY;
      return {SQL_C_BINARY, {type, std::max<SQLULEN>(count, 1), 0}, bytes.data(), static_cast<SQLLEN>(count)};
    }
    default: return text_form(cell, plain_json(value));
  }
}

bool OdbcParameters::bind(SQLHSTMT statement, SQLUSMALLINT number, const Value& value,
                          const std::optional<OdbcType>& described) {
  auto& cell = cells_.emplace_back();
  const auto form = form_of(cell, value);
  cell.length = form.bytes;
  auto type = form.type;
  // A text is left to the server: drivers cut what they take for a time, without a word.
  const bool as_described = described && (form.c_type != SQL_C_WCHAR || is_binary(described->type));
  if (as_described)
    type = {described->type, std::max(described->size, type.size), std::max(described->digits, type.digits)};
  return SQL_SUCCEEDED(libodbc().SQLBindParameter(statement, number, SQL_PARAM_INPUT, form.c_type, type.type, type.size,
                                                  type.digits, form.data, std::max<SQLLEN>(form.bytes, 0),
                                                  &cell.length));
}

std::optional<std::vector<OdbcColumn>> describe_columns(SQLHSTMT statement, OdbcServer server) {
  SQLSMALLINT count = 0;
  if (!SQL_SUCCEEDED(libodbc().SQLNumResultCols(statement, &count))) return std::nullopt;
  std::vector<OdbcColumn> columns;
  for (SQLUSMALLINT number = 1; number <= static_cast<SQLUSMALLINT>(count); ++number) {
    std::array<SQLWCHAR, 512> name{};
    SQLSMALLINT length = 0, type = 0, digits = 0, nullable = 0;
    SQLULEN size = 0;
    if (!SQL_SUCCEEDED(libodbc().SQLDescribeColW(statement, number, name.data(), static_cast<SQLSMALLINT>(name.size()),
                                                 &length, &type, &size, &digits, &nullable)))
      return std::nullopt;
    const auto shown =
        std::min<std::size_t>(static_cast<std::size_t>(std::max<SQLSMALLINT>(length, 0)), name.size() - 1);
    OdbcColumn column{from_utf16(name.data(), shown).value_or("?"), type, false, false};
    SQLLEN is_unsigned = SQL_FALSE;
    if (is_integer(type))
      libodbc().SQLColAttributeW(statement, number, SQL_DESC_UNSIGNED, nullptr, 0, nullptr, &is_unsigned);
    column.is_unsigned = is_unsigned == SQL_TRUE;
    if (type == SQL_TYPE_TIMESTAMP && server == OdbcServer::postgres) {
      SQLSMALLINT bytes = 0;
      libodbc().SQLColAttributeW(statement, number, SQL_DESC_TYPE_NAME, name.data(),
                                 static_cast<SQLSMALLINT>(sizeof(name)), &bytes, nullptr);
      const auto told =
          std::min<std::size_t>(static_cast<std::size_t>(std::max<SQLSMALLINT>(bytes, 0)) / 2, name.size());
      column.has_zone = from_utf16(name.data(), told) == "timestamptz";
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

StepResult<std::optional<OdbcRow>> read_row(SQLHSTMT statement, std::span<const OdbcColumn> columns,
                                            std::uint64_t most) {
  RowReading reading(statement, most);
  OdbcRow row;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    SP_TRY(auto value, reading.read(static_cast<SQLUSMALLINT>(i + 1), columns[i]));
    if (!value) return std::nullopt;
    row.values.push_back(*std::move(value));
  }
  row.bytes = reading.bytes_read();
  return std::optional(std::move(row));
}

std::string odbc_time_text(const SQL_TIMESTAMP_STRUCT& time, bool is_utc) {
  auto fraction = time.fraction == 0 ? std::string() : fmt::format(".{:09}", time.fraction);
  while (fraction.ends_with('0')) fraction.pop_back();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}", time.year, time.month, time.day, time.hour, time.minute,
                     time.second, fraction, is_utc ? "Z" : "");
}

std::string offset_time_text(std::string text) {
  if (text.size() < 26 || text[10] != ' ') return text;
  text[10] = 'T';
  const auto space = text.find(' ');
  if (space != std::string::npos) text.erase(space, 1);
  return text;
}

}  // namespace sallyport::connectors::sql
