#pragma once

#include "agent/connectors/sql/libodbc.h"
#include "agent/connectors/step_error.h"
#include "agent/policy/odbc_connection.h"
#include "shared/base/value.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::connectors::sql {

// As a driver describes a parameter.
struct OdbcType {
  SQLSMALLINT type;
  SQLULEN size;
  SQLSMALLINT digits;
};
bool is_binary(SQLSMALLINT type);

// The parameters of one run. What the driver is given points into this, which outlives the run.
class OdbcParameters {
 public:
  explicit OdbcParameters(policy::OdbcServer server) : server_(server) {}
  OdbcParameters(const OdbcParameters&) = delete;
  OdbcParameters& operator=(const OdbcParameters&) = delete;

  // Number 1, 2, ...: a text as it is, else as the driver describes the parameter or by what it is. False: the driver
  // refuses.
  bool bind(SQLHSTMT statement, SQLUSMALLINT number, const Value& value, const std::optional<OdbcType>& described);

 private:
  using Text = std::vector<unsigned short>;
  struct Cell {
    std::variant<std::int64_t, double, SQL_TIMESTAMP_STRUCT, Text, Bytes> value;
    SQLLEN length = 0;
  };
  struct Form {
    SQLSMALLINT c_type;
    OdbcType type;
    SQLPOINTER data;
    SQLLEN bytes;
  };
  Form form_of(Cell& cell, const Value& value) const;
  static Form text_form(Cell& cell, std::string_view text);

  policy::OdbcServer server_;
  std::deque<Cell> cells_;
};

struct OdbcColumn {
  std::string name;
  SQLSMALLINT type;
  bool is_unsigned, has_zone;
};
// Of the result that a statement has given; empty when it has none. nullopt: the driver does not tell.
std::optional<std::vector<OdbcColumn>> describe_columns(SQLHSTMT statement, policy::OdbcServer server);

struct OdbcRow {
  ValueList values;
  std::uint64_t bytes = 0;
};
// The row that was fetched. nullopt: the driver refuses. Class "too_large" over `most` bytes, "format" for text that is
// none.
StepResult<std::optional<OdbcRow>> read_row(SQLHSTMT statement, std::span<const OdbcColumn> columns,
                                            std::uint64_t most);

// A point in time in the form of RFC 3339, without a zone unless it is known to be UTC.
std::string odbc_time_text(const SQL_TIMESTAMP_STRUCT& time, bool is_utc);
// "2026-01-31 09:30:00.5000000 +02:00", as SQL Server's drivers give a datetimeoffset.
std::string offset_time_text(std::string text);

}  // namespace sallyport::connectors::sql
