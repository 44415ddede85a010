// The scanner against the servers: what it takes for a mere select must change nothing when a real server runs it.
#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/sql_actions.h"
#include "agent/policy/sql_text.h"
#include "tests/contract/connectors/sql/databases.h"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <random>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using Engine = test::SqlWorld::Engine;

namespace {

constexpr auto kEverything = ~policy::SqlVerbs{0};
constexpr auto kOnlySelect = static_cast<policy::SqlVerbs>(policy::SqlVerb::select);

// The exploit that a scanner falls for which ends the string at its first quote: the server goes on with the string,
// and its backslash escapes, after the line break.
constexpr std::string_view kContinued =
    "with x as (select E'a'\n'b\\' || ', 1), d as (delete from orders returning 1), y as (select '--'\n) select 1";

class Keep final : public sql::RowSink {
 public:
  StepResult<void> begin(const std::vector<std::string>&) override { return {}; }
  StepResult<void> row(ValueList values) override {
    rows.push_back(values.empty() ? Value() : values.front());
    return {};
  }
  ValueList rows;
};

// Runs statements on one session in transactions that may write, past every check, and rolls them back.
class Unguarded {
 public:
  explicit Unguarded(test::SqlWorld& world) : world_(world) {
    world.sql("insert into orders (id, name) values (1, 'one'), (2, 'two')");
    const auto site = world.agent->site();
    database_ = sql::make_database(*site.connections.find("db")->second.sql(), kEverything, site.vault);
    connection_ = *database_->connect(soon());
  }

  enum class Saw { refusal, nothing, change };
  Saw run(const std::string& text) {
    REQUIRE(connection_->begin(sql::Access::read_write, soon()));
    const auto before = traces();
    Keep rows;
    const bool ran = connection_->query(sql::Statement{text, {}}, {}, rows, soon()).has_value();
    const auto saw = !ran ? Saw::refusal : traces() == before ? Saw::nothing : Saw::change;
    connection_->rollback();
    return saw;
  }

 private:
  static sql::CallLimits soon() { return {std::chrono::steady_clock::now() + 20s, {}}; }

  // PostgreSQL gives a transaction a number when it first writes; SQLite counts rows and versions of the schema.
  ValueList traces() {
    Keep found;
    const auto ask = [&](const char* text) {
      (void)connection_->query_own(sql::Statement{text, {}}, {}, found, soon());
    };
    if (world_.engine == Engine::postgres) {
      ask("select pg_current_xact_id_if_assigned()::text");
    } else if (world_.engine == Engine::mariadb) {
      ask("select group_concat(id, name) from orders");
      ask("select count(*) from information_schema.tables where table_schema = database()");
    } else {
      ask("select total_changes()");
      ask("pragma schema_version");
    }
    return std::move(found.rows);
  }

  test::SqlWorld& world_;
  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<sql::Connection> connection_;
};

std::optional<policy::SqlVerbs> scanned(const std::string& text, Engine engine) {
  const auto dialect = engine == Engine::postgres  ? policy::SqlDialect::postgres
                       : engine == Engine::mariadb ? policy::SqlDialect::mysql
                                                   : policy::SqlDialect::sqlite;
  const auto tokens = policy::tokenize_sql(text, dialect);
  if (!tokens) return std::nullopt;
  const auto verbs = policy::verbs_of(*tokens);
  return verbs ? std::optional(*verbs) : std::nullopt;
}

using Pieces = std::vector<std::string>;
const std::string& one_of(const Pieces& pieces, std::mt19937& random) {
  return pieces[std::uniform_int_distribution<std::size_t>(0, pieces.size() - 1)(random)];
}

// One or two texts in quotes of some kind, ended or not, with escapes, comments and line breaks in and around them:
// what is between two of these may hide a delete.
std::string soup(std::mt19937& random, Engine engine) {
  static const Pieces kInside{"a", "'", "''", "\\'", "\\", "--", "/*", "*/", "$$", "\n", "]", "\"", ""};
  static const Pieces kBetween{"\n", "\n", " -- c\n", "\r", " ", " || ", "/**/", "--", "*/", "/*", ""};
  static const Pieces kPostgres{"'", "'", "'", "E'", "E'", "U&'", "B'", "N'", "1_e'", "1e'", "e.e'", "\"", "$$", "$a$"};
  static const Pieces kSqlite{"'", "'", "x'", "\"", "[", "`", "E'", "\xEF\xBB\xBF", "1e'"};
  static const Pieces kMariadb{"'",  "'",    "\"",  "\"", "`",      "N'", "_utf8mb4'",
                               "x'", "/*!'", "/*'", "#'", "1 -- '", "--'"};
  const auto& opens = engine == Engine::postgres ? kPostgres : engine == Engine::mariadb ? kMariadb : kSqlite;
  std::string text;
  for (auto left = 1 + random() % 2; left > 0; --left) {
    const auto& open = one_of(opens, random);
    text += open;
    for (auto inside = random() % 3; inside > 0; --inside) text += one_of(kInside, random);
    if (random() % 4 > 0)
      text += open == "[" ? "]" : open == "$a$" || open == "$$" ? open : open.substr(open.size() - 1);
    text += one_of(kBetween, random);
  }
  return text;
}

}  // namespace

TEST_CASE("what the scanner takes for a select changes nothing on PostgreSQL", "[sql][postgres][attack]") {
  test::SqlWorld world(Engine::postgres);
  Unguarded server(world);
  const std::string hidden = "), d as (delete from orders returning 1), y as (select ";
  const std::string table[] = {
      std::string(kContinued),
      "with x as (select E'a' -- b\n'b\\' || '" + hidden + "'--'\n) select 1",
      "with x as (select E'a'\r'b\\' || '" + hidden + "'--'\n) select 1",
      "with x as (select U&'a'\n'b\\' || '" + hidden + "'--'\n) select 1",
      "with x as (select 1_e'\\'" + hidden + "'--'\n) select 1",
      "with x as (select 1e'\\'" + hidden + "'--'\n) select 1",
      "with x as (select 'a\\'" + hidden + "'--'\n) select 1",
      "with x as (select e'\\''" + hidden + "'--'\n) select 1",
      "with x as (select /* /* */ 1 */ 1" + hidden + "/* */ 1) select 1",
      "with x as (select 1 -- \r" + hidden + "1) select 1",
      "with x as (select 1 +-- \n" + hidden + "1) select 1",
      "with x as (select 1*/**/2" + hidden + "1) select 1",
      "with x as (select $a$ $$ $a$" + hidden + "$$ $$) select 1",
      "with x as (select a$$ from (select 1 as a$$) q" + hidden + "$$ $$) select 1",
      "with x as (select $a$$$a$" + hidden + "$a$$a$) select 1",
      "with x as (select B'1''0'" + hidden + "1) select 1",
      "with x as (select \"\"\"\" from (select 1 as \"\"\"\") q" + hidden + "1) select 1",
      "with x as (select U&'!0061' uescape '!'" + hidden + "1) select 1",
      "select id as insert into leak from orders",
      "select (id) insert into leak from orders",
      "select insert into leak from (select 1 as insert) q",
      "with insert as (select 1 as id) select id into leak from insert",
      "select id into leak from orders",
      "with x as (select 1) select 1 insert into temp leak from orders",
      "(select id into leak from orders)",
      "create table leak as table orders",
      "insert into orders table orders",
      "select * from orders for update",
      "table orders",
      "values (1)",
      "with x as (update orders set name = 'x' returning 1) table x",
      "merge into orders using items on true when matched then delete",
  };
  int changed = 0;
  for (const auto& text : table) {
    INFO(text);
    const auto saw = server.run(text);
    changed += saw == Unguarded::Saw::change ? 1 : 0;
    if (scanned(text, Engine::postgres) == kOnlySelect) CHECK(saw != Unguarded::Saw::change);
  }
  CHECK(changed > 15);  // the attacks are real ones
  CHECK(server.run(std::string(kContinued)) == Unguarded::Saw::change);
}

TEST_CASE("what the scanner takes for a select changes nothing on SQLite", "[sql][sqlite][attack]") {
  test::SqlWorld world(Engine::sqlite);
  Unguarded server(world);
  const std::string bom = "\xEF\xBB\xBF";
  const std::string table[] = {
      "with x as (select 1) " + bom + "delete from orders",
      bom + "delete from orders",
      "with x as (select 1) replace into orders select 3, 'three'",
      "with x as (select 1) insert or ignore into orders select 3, 'three'",
      "with x as (select /* /* */ 1) delete from orders",
      "with x as (select 'a\\') delete from orders -- '",
      "with x as (select [a'] from (select 1 as [a'])) delete from orders -- '",
      "with x as (select `a'` from (select 1 as `a'`)) delete from orders -- '",
      "with x as (select 1 -- \r) select 1\n) delete from orders",
      "with x as (select x'1f') delete from orders",
      "with x as (select 'a''' 'b') delete from orders -- '",
      "update or replace orders set id = 2 where id = 1",
      "create table leak as select * from orders",
      "select id into leak from orders",
      "select 1 /* open",
      "select :1",
      "select 1 -- " + std::string(1, '\0') + "\n; delete from orders",
  };
  int changed = 0;
  for (const auto& text : table) {
    INFO(text);
    const auto saw = server.run(text);
    changed += saw == Unguarded::Saw::change ? 1 : 0;
    if (scanned(text, Engine::sqlite) == kOnlySelect) CHECK(saw != Unguarded::Saw::change);
  }
  CHECK(changed > 7);
}

TEST_CASE("what the scanner takes for a select changes nothing on MariaDB", "[sql][mariadb][attack]") {
  test::SqlWorld world(Engine::mariadb);
  Unguarded server(world);
  const std::string table[] = {
      "/*! delete from orders where id >= (*/ select 1 /*!)*/",
      "/*!50000 delete from orders where id >= (*/ select 1 /*!)*/",
      "/*M! delete from orders where id >= (*/ select 1 /*M!)*/",
      "/*M!100000 delete from orders where id >= (*/ select 1 /*M!)*/",
      "/* */ delete from orders where id >= (select 1) -- select",
      "/* /* */ delete from orders -- */ select 1",
      "#\ndelete from orders",
      "# select 1\ndelete from orders",
      "# select 1\r\ndelete from orders",
      "-- select 1\ndelete from orders",
      "--\tselect 1\ndelete from orders",
      "-- \r select 1\ndelete from orders",
      "(select 1) union select \"a\\\" into outfile '\" /* '",
      "select * from orders for update",
      "replace into orders select 3, 'three'",
      "insert into orders select 3, 'three' on duplicate key update name = 'x'",
      "update orders set name = \"'\\\"'\" where id = 1",
      "delete from orders where name <> 'a\\' or 1 = 1 -- '",
      "delete from orders where `id` = 1 /* ' */",
      "values (1)",
      "select 1 ; delete from orders",
      "select 1 into @a",
      "select @a := 1",
      "begin not atomic delete from orders; end",
      "set statement max_statement_time = 1 for delete from orders",
  };
  int changed = 0;
  for (const auto& text : table) {
    INFO(text);
    const auto saw = server.run(text);
    changed += saw == Unguarded::Saw::change ? 1 : 0;
    if (scanned(text, Engine::mariadb) == kOnlySelect) CHECK(saw != Unguarded::Saw::change);
  }
  CHECK(changed > 12);  // the attacks are real ones
  CHECK(server.run(table[0]) == Unguarded::Saw::change);
}

TEST_CASE("a file of the server between random quotes and comments never hides from the scanner",
          "[sql][mariadb][attack]") {
  test::SqlWorld world(Engine::mariadb);
  Unguarded server(world);
  std::mt19937 random(20260131);
  const auto* given = std::getenv("SALLYPORT_SQL_ROUNDS");
  const int rounds = given == nullptr ? 2000 : std::atoi(given);
  const std::string file = test::mariadb().directory() + "/written";
  int selects = 0, written = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto text = "select " + soup(random, Engine::mariadb) + " into outfile '" + file + "' " +
                      soup(random, Engine::mariadb) + (random() % 2 == 0 ? "\n" : "");
    const auto verbs = scanned(text, Engine::mariadb);
    const auto saw = server.run(text);
    const bool wrote = ::unlink(file.c_str()) == 0;
    selects += saw == Unguarded::Saw::nothing && verbs == kOnlySelect ? 1 : 0;
    written += wrote ? 1 : 0;
    INFO("round " << round << ": " << text);
    if (verbs) REQUIRE_FALSE(wrote);
  }
  CAPTURE(selects, written);
  CHECK(written > rounds / 1000);
  CHECK(selects > rounds / 1000);
  if (given != nullptr) WARN(selects << " selects, " << written << " files");
}

TEST_CASE("a delete between random quotes and comments never hides from the scanner", "[sql][attack]") {
  test::SqlWorld world(GENERATE(Engine::sqlite, Engine::postgres));
  Unguarded server(world);
  std::mt19937 random(20260131);
  const bool postgres = world.engine == Engine::postgres;
  const auto* given = std::getenv("SALLYPORT_SQL_ROUNDS");
  const int rounds = given == nullptr ? 3000 : std::atoi(given);
  int selects = 0, changes = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto middle =
        postgres ? ", 1), d as (delete from orders returning 1), y as (select " : ") delete from orders --";
    const auto end = postgres || random() % 2 == 0 ? "\n) select 1" : "";
    const auto text = "with x as (select " + soup(random, world.engine) + middle + soup(random, world.engine) + end;
    const auto verbs = scanned(text, world.engine);
    const auto saw = server.run(text);
    selects += saw == Unguarded::Saw::nothing && verbs == kOnlySelect ? 1 : 0;
    changes += saw == Unguarded::Saw::change ? 1 : 0;
    INFO("round " << round << ": " << text);
    if (verbs == kOnlySelect) REQUIRE(saw != Unguarded::Saw::change);
  }
  CAPTURE(selects, changes);
  CHECK(changes > rounds / 1000);
  CHECK(selects > rounds / 1000);
  if (given != nullptr) WARN(selects << " selects, " << changes << " changes");
}
