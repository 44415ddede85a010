#include "agent/connectors/sql/statement.h"
#include "agent/connectors/sql/mysql_error.h"
#include "agent/connectors/sql/mysql_values.h"
#include "agent/connectors/sql/odbc_error.h"
#include "agent/connectors/sql/odbc_values.h"
#include "agent/connectors/sql/postgres_error.h"
#include "agent/connectors/sql/postgres_values.h"
#include "agent/connectors/sql/utf16.h"
#include "shared/base/json.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::connectors::sql;
using policy::SqlDialect;

TEST_CASE("named parameters become positions, and nothing else changes", "[sql][statement]") {
  struct Row {
    const char* text;
    const char* rewritten;
    std::vector<std::string> names;
  };
  const Row table[] = {
      {"select 1", "select 1", {}},
      {"insert into a values (:id, :total)", "insert into a values ($1, $2)", {"id", "total"}},
      {"select :a, :b, :a", "select $1, $2, $1", {"a", "b"}},
      {"select :id::int", "select $1::int", {"id"}},
      {"select ':id', \":id\" -- :id\n, :id /* :id */", "select ':id', \":id\" -- :id\n, $1 /* :id */", {"id"}},
      {"select $$ :no $$ || :yes", "select $$ :no $$ || $1", {"yes"}},
      {"select E'\\':no' || :yes", "select E'\\':no' || $1", {"yes"}},
      {"select :a||:b", "select $1||$2", {"a", "b"}},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto statement = prepare_statement(row.text, SqlDialect::postgres);
    REQUIRE(statement);
    CHECK(statement->text == row.rewritten);
    CHECK(statement->parameters == row.names);
  }
  CHECK(prepare_statement("select :a, :a", SqlDialect::sqlite)->text == "select ?1, ?1");
  CHECK_FALSE(prepare_statement("select 'open", SqlDialect::sqlite));
  const auto mysql = prepare_statement("select :a, `:b`, :b, ':a\\':b', :a # :c", SqlDialect::mysql);
  REQUIRE(mysql);
  CHECK(mysql->text == "select ?, `:b`, ?, ':a\\':b', ? # :c");
  CHECK(mysql->parameters == std::vector<std::string>{"a", "b", "a"});
}

TEST_CASE("parameters are picked by name; missing ones and bodies are named", "[sql][statement]") {
  const auto statement = *prepare_statement("select :b, :a", SqlDialect::sqlite);
  const Value map(ValueMap{{Value("a"), Value(1)}, {Value("b"), Value("x")}, {Value("c"), Value(2)}});
  CHECK(*pick_parameters(statement, map) == ValueList{Value("x"), Value(1)});
  CHECK(pick_parameters(statement, Value(ValueMap{{Value("a"), Value(1)}})).error().message ==
        "the parameter :b has no value");
  CHECK_FALSE(pick_parameters(statement, Value("no map")));
  const Value body(ValueMap{{Value("a"), Value(1)}, {Value("b"), Value(Handle{"spool", {}})}});
  CHECK(pick_parameters(statement, body).error().message.find(":b is a body") != std::string::npos);
}

TEST_CASE("values travel to PostgreSQL as text", "[sql][postgres]") {
  CHECK(postgres_text(Value()) == std::nullopt);
  CHECK(postgres_text(Value(INT64_MIN)) == "-9223372036854775808");
  CHECK(postgres_text(Value(0.1)) == "0.1");
  CHECK(postgres_text(Value(std::numeric_limits<double>::infinity())) == "Infinity");
  CHECK(postgres_text(Value(true)) == "true");
  CHECK(postgres_text(Value("it's")) == "it's");
  CHECK(postgres_text(Value(-0.0)) == "-0");
  CHECK(postgres_text(Value(Timestamp{0, 0})) == "1970-01-01T00:00:00Z");
  CHECK(postgres_text(Value(ValueList{Value(1), Value("a")})) == "[1,\"a\"]");
}

TEST_CASE("bytes travel to PostgreSQL as they are, beside texts and nulls", "[sql][postgres][bytes]") {
  const ValueList values{Value("a"), Value(Bytes{std::byte{0}, std::byte{255}}), Value(), Value(Bytes{}),
                         Value(std::string("a\0b", 3))};
  const PostgresParameters given(values);
  REQUIRE(given.count() == 5);
  CHECK(std::vector<int>(given.formats(), given.formats() + 5) == std::vector<int>{0, 1, 0, 1, 0});
  CHECK(std::string_view(given.pointers()[0]) == "a");
  CHECK(std::string_view(given.pointers()[1], static_cast<std::size_t>(given.lengths()[1])) ==
        std::string_view("\0\xff", 2));
  CHECK(given.pointers()[2] == nullptr);
  CHECK(given.pointers()[3] != nullptr);
  CHECK(given.lengths()[3] == 0);
  CHECK(given.with_nul() == 4);
}

TEST_CASE("columns come back as exact values", "[sql][postgres]") {
  CHECK(postgres_value(20, "9223372036854775807") == Value(INT64_MAX));
  CHECK(postgres_value(16, "t") == Value(true));
  CHECK(postgres_value(701, "0.1") == Value(0.1));
  CHECK(postgres_value(1700, "12.50") == Value("12.50"));
  CHECK(postgres_value(17, "\\x00ff") == Value(Bytes{std::byte{0}, std::byte{255}}));
  CHECK(postgres_value(17, "\\x") == Value(Bytes{}));
  CHECK(postgres_value(1184, "2026-01-31 09:30:00.5+00") == Value("2026-01-31T09:30:00.5Z"));
  CHECK(postgres_value(1114, "2026-01-31 09:30:00") == Value("2026-01-31T09:30:00"));
  CHECK(postgres_value(1184, "infinity") == Value("infinity"));
  CHECK(postgres_value(1184, "0044-03-15 00:00:00+00 BC") == Value("0044-03-15 00:00:00+00 BC"));
  CHECK(postgres_value(20, "not a number") == Value("not a number"));
}

TEST_CASE("a SQLSTATE gives its classes, and its message only where that cannot quote data", "[sql][postgres]") {
  const CallLimits limits{SteadyTime::max(), {}};
  enum class Quoted { always, at_prepare, never };
  using enum Quoted;
  struct Row {
    const char* sqlstate;
    const char* error_class;
    Quoted quoted;
  };
  const Row table[] = {
      {"23505", "constraint", always},     {"40001", "transaction", always},    {"40P01", "transaction", always},
      {"08006", "connection", always},     {"57P01", "connection", always},     {"53300", "connection", always},
      {"53100", "disk_full", always},      {"42501", "permission", at_prepare}, {"25006", "permission", always},
      {"28P01", "permission", at_prepare}, {"42601", "invalid", at_prepare},    {"3D000", "not_found", at_prepare},
      {"54000", "too_large", at_prepare},  {"22P02", "invalid", never},         {"22001", "invalid", never},
      {"P0001", "invalid", never},         {"XX000", "internal", never},        {"99999", "invalid", never},
      {"22999", "invalid", never},         {"42P01", "invalid", at_prepare},    {"42704", "invalid", at_prepare},
      {"0A000", "invalid", at_prepare},    {"3F000", "not_found", at_prepare},
  };
  for (const auto& row : table) {
    INFO(row.sqlstate);
    for (const auto phase : {Phase::prepare, Phase::run}) {
      const auto error = sqlstate_error(row.sqlstate, "the primary c4n4ry", phase, limits);
      CHECK(error.classes == std::vector<std::string>{std::string("sqlstate:") + row.sqlstate, row.error_class});
      const bool quoted = row.quoted == always || (row.quoted == at_prepare && phase == Phase::prepare);
      CHECK((error.message.find("c4n4ry") != std::string::npos) == quoted);
      CHECK(error.message.find(row.sqlstate) != std::string::npos);
    }
  }
  CHECK(sqlstate_error("57014", "", Phase::run, limits).error_class() == "timeout");
  std::stop_source stop;
  stop.request_stop();
  CHECK(sqlstate_error("57014", "", Phase::run, CallLimits{SteadyTime::max(), stop.get_token()}).error_class() ==
        "cancelled");
  CHECK(sqlstate_error("0A000", "cached plan must not change result type", Phase::run, limits).classes.back() ==
        "transaction");
}

TEST_CASE("an error of MySQL gives its classes, and its text only where that names objects", "[sql][mariadb]") {
  const CallLimits limits{SteadyTime::max(), {}};
  struct Row {
    unsigned code;
    const char* sqlstate;
    std::vector<std::string> classes;
    bool at_run, at_prepare;  // is the text quoted?
  };
  const Row table[] = {
      {1062, "23000", {"sqlstate:23505", "constraint"}, false, false},
      {1452, "23000", {"sqlstate:23503", "constraint"}, true, true},
      {1048, "23000", {"sqlstate:23502", "constraint"}, true, true},
      {4025, "23000", {"sqlstate:23514", "constraint"}, true, true},
      {1213, "40001", {"sqlstate:40001", "transaction"}, false, false},
      {1205, "HY000", {"sqlstate:HY000", "transaction"}, false, false},
      {1792, "25006", {"sqlstate:25006", "permission"}, false, false},
      {1142, "42000", {"sqlstate:42501", "permission"}, false, false},
      {1114, "HY000", {"sqlstate:53100", "disk_full"}, false, false},
      {1064, "42000", {"sqlstate:42000", "invalid"}, false, true},
      {1146, "42S02", {"sqlstate:42S02", "invalid"}, false, true},
      {1366, "22007", {"sqlstate:22007", "invalid"}, false, true},
      {1644, "45000", {"sqlstate:45000", "invalid"}, false, true},
      {1927, "70100", {"sqlstate:70100", "connection"}, false, false},
      {9999, "08S01", {"sqlstate:08S01", "connection"}, false, false},
  };
  for (const auto& row : table) {
    INFO(row.code);
    for (const auto phase : {Phase::prepare, Phase::run}) {
      const auto error = mysql_error({row.code, row.sqlstate, "the text c4n4ry"}, phase, limits);
      CHECK(error.classes == row.classes);
      CHECK(error.message.contains("c4n4ry") == (phase == Phase::prepare ? row.at_prepare : row.at_run));
    }
  }
  for (const unsigned code : {1317u, 1969u, 3024u})
    CHECK(mysql_error({code, "70100", ""}, Phase::run, limits).error_class() == "timeout");
  std::stop_source stop;
  stop.request_stop();
  CHECK(mysql_error({1317, "70100", ""}, Phase::run, CallLimits{SteadyTime::max(), stop.get_token()}).error_class() ==
        "cancelled");
}

TEST_CASE("of a duplicate only the name of its key is told", "[sql][mariadb]") {
  const CallLimits limits{SteadyTime::max(), {}};
  const auto told = [&](const std::string& text) {
    return mysql_error({1062, "23000", text}, Phase::run, limits).message;
  };
  CHECK(told("Duplicate entry 'c4n4ry' for key 'PRIMARY'") ==
        "the unique key PRIMARY has such an entry already (error 1062, SQLSTATE 23505)");
  CHECK(told("Duplicate entry 'a' for key 'c4n4ry' for key 'name'").starts_with("the unique key name has"));
  const auto cut = "Duplicate entry '" + std::string(470, 'x') + "' for key 'c4n4ry'";  // perhaps a value, cut here
  CHECK(told(cut).starts_with("a unique key has"));
  CHECK(told("Es gibt c4n4ry").starts_with("a unique key has"));
}

TEST_CASE("dates and times of MySQL become texts", "[sql][mariadb]") {
  MYSQL_TIME time{};
  time.year = 2026, time.month = 1, time.day = 31, time.hour = 7, time.minute = 30, time.second_part = 500'000;
  CHECK(mysql_time_text(time, MYSQL_TYPE_DATE, 0) == "2026-01-31");
  CHECK(mysql_time_text(time, MYSQL_TYPE_DATETIME, 0) == "2026-01-31T07:30:00");
  CHECK(mysql_time_text(time, MYSQL_TYPE_DATETIME, 3) == "2026-01-31T07:30:00.500");
  CHECK(mysql_time_text(time, MYSQL_TYPE_TIMESTAMP, 6) == "2026-01-31T07:30:00.500000");
  CHECK(mysql_time_text(time, MYSQL_TYPE_TIMESTAMP, 39) == "2026-01-31T07:30:00.500000");
  CHECK(mysql_time_text(MYSQL_TIME{}, MYSQL_TYPE_DATETIME, 0) == "0000-00-00 00:00:00");
  CHECK(mysql_time_text(MYSQL_TIME{}, MYSQL_TYPE_TIMESTAMP, 0) == "0000-00-00 00:00:00");
  MYSQL_TIME span{};
  span.hour = 838, span.minute = 59, span.second = 59, span.neg = 1;
  CHECK(mysql_time_text(span, MYSQL_TYPE_TIME, 0) == "-838:59:59");
}

TEST_CASE("statements for ODBC have a mark for each parameter, whatever server is behind it", "[sql][odbc]") {
  const auto statement = prepare_statement("select :a, :b, :a", SqlDialect::odbc);
  REQUIRE(statement);
  CHECK(statement->text == "select ?, ?, ?");
  CHECK(statement->parameters == std::vector<std::string>{"a", "b", "a"});
  const auto ledger = prepare_statement("select `key` from t where `key` = :key", SqlDialect::mysql, SqlDialect::odbc);
  REQUIRE(ledger);
  CHECK(ledger->text == "select `key` from t where `key` = ?");
}

TEST_CASE("text goes to UTF-16 and back", "[sql][odbc]") {
  for (const std::string text : {"", "a", "ä", "€", "😀", "a😀b", "\xF4\x8F\xBF\xBF"}) {
    const auto units = to_utf16(text);
    CHECK(from_utf16(units.data(), units.size()) == text);
  }
  CHECK(to_utf16("😀") == std::vector<unsigned short>{0xD83D, 0xDE00});
  CHECK(to_utf16("\xFF") == std::vector<unsigned short>{0xFFFD});
  for (const auto& broken : std::vector<std::vector<unsigned short>>{{0xD83D}, {0xDE00}, {0xD83D, 'a'}, {'a', 0xDE00}})
    CHECK_FALSE(from_utf16(broken.data(), broken.size()));
}

TEST_CASE("an error of a driver gives its classes and none of its text", "[sql][odbc]") {
  const CallLimits limits{SteadyTime::max(), {}};
  using policy::OdbcServer;
  struct Row {
    const char* sqlstate;
    SQLINTEGER code;
    OdbcServer server;
    std::vector<std::string> classes;
  };
  const Row table[] = {
      {"23505", 7, OdbcServer::postgres, {"sqlstate:23505", "constraint"}},
      {"23000", 1062, OdbcServer::mysql, {"sqlstate:23505", "constraint"}},
      {"23000", 2627, OdbcServer::other, {"sqlstate:23000", "constraint"}},
      {"40001", 1205, OdbcServer::other, {"sqlstate:40001", "transaction"}},
      {"42S02", 208, OdbcServer::other, {"sqlstate:42S02", "invalid"}},
      {"HY000", 2013, OdbcServer::mysql, {"connection"}},
      {"08S01", 20004, OdbcServer::other, {"sqlstate:08S01", "connection"}},
      {"HYT00", 0, OdbcServer::other, {"timeout"}},
      {"HY008", 0, OdbcServer::postgres, {"timeout"}},
  };
  for (const auto& row : table) {
    INFO(row.sqlstate << " " << row.code);
    const auto error = odbc_error({row.sqlstate, row.code, "a text with c4n4ry"}, row.server, limits);
    CHECK(error.classes == row.classes);
    CHECK_FALSE(error.message.contains("c4n4ry"));
  }
  CHECK(odbc_error({"23000", 2627, ""}, OdbcServer::other, limits).message.ends_with("the server's code 2627"));
  const auto login = odbc_connection_error({"28000", 1, "[x] Login failed for pass word"}, "connecting", "pass word");
  CHECK(login.classes == std::vector<std::string>{"sqlstate:28000", "permission"});
  CHECK_FALSE(login.message.contains("pass word"));
}

TEST_CASE("dates and times of ODBC become texts", "[sql][odbc]") {
  CHECK(odbc_time_text({2026, 1, 31, 7, 30, 0, 500'000'000}, true) == "2026-01-31T07:30:00.5Z");
  CHECK(odbc_time_text({2026, 1, 31, 7, 30, 0, 0}, false) == "2026-01-31T07:30:00");
  CHECK(odbc_time_text({2026, 1, 31, 7, 30, 0, 100}, false) == "2026-01-31T07:30:00.0000001");
  CHECK(offset_time_text("2026-01-31 09:30:00.5000000 +02:00") == "2026-01-31T09:30:00.5000000+02:00");
  CHECK(offset_time_text("soon") == "soon");
}
