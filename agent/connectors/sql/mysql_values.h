#pragma once

#include "shared/base/value.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <mysql.h>

namespace sallyport::connectors::sql {

// The parameters of one run as libmariadb takes them. Lists and maps are JSON; points in time are in UTC, as the
// session is. What this points to is here and in `values`, which outlives it.
class MysqlParameters {
 public:
  explicit MysqlParameters(const ValueList& values);
  MysqlParameters(const MysqlParameters&) = delete;
  MysqlParameters& operator=(const MysqlParameters&) = delete;

  MYSQL_BIND* binds() { return binds_.data(); }
  std::optional<std::size_t> without_form() const { return without_form_; }  // the first NaN or infinity

 private:
  using Kept = std::variant<std::int64_t, std::uint64_t, double, MYSQL_TIME, std::string>;
  void bind(MYSQL_BIND& into, const Value& value);
  void bind_text(MYSQL_BIND& into, std::string_view text, enum_field_types type);
  template <class T>
  void bind_kept(MYSQL_BIND& into, T value, enum_field_types type);

  std::vector<MYSQL_BIND> binds_;
  std::deque<Kept> kept_;
  std::optional<std::size_t> without_form_;
};

// The columns of a result, and the row that was fetched last; what it points to lies in libmariadb's buffer.
class MysqlRow {
 public:
  MysqlRow(MYSQL_STMT* statement, const MYSQL_FIELD* fields, unsigned count);
  MysqlRow(const MysqlRow&) = delete;
  MysqlRow& operator=(const MysqlRow&) = delete;

  bool bind();  // false: libmariadb does not know one of the types
  std::vector<std::string> names() const;
  std::uint64_t bytes() const;
  ValueList values();

 private:
  struct Cell {
    std::variant<std::int64_t, double, float, MYSQL_TIME> fixed;
    unsigned long length = 0;
    my_bool is_null = 0, error = 0;
  };
  Value value(unsigned column);
  std::string text(unsigned column);

  MYSQL_STMT* statement_;
  const MYSQL_FIELD* fields_;
  std::vector<Cell> cells_;
  std::vector<MYSQL_BIND> binds_;
};

// A date or time in the form of RFC 3339 without a zone, which these servers would not take back (a TIMESTAMP is in
// UTC, as the session is); a zero date as the server has it.
std::string mysql_time_text(const MYSQL_TIME& time, enum_field_types type, unsigned decimals);

}  // namespace sallyport::connectors::sql
