#include "agent/policy/sql_text.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

std::string verbs(std::string_view text, SqlDialect dialect = SqlDialect::postgres) {
  const auto tokens = tokenize_sql(text, dialect);
  if (!tokens) return "refused: " + tokens.error().message;
  const auto found = verbs_of(*tokens);
  return found ? to_string(*found) : "refused: " + found.error().message;
}

std::vector<std::string> parameters(std::string_view text, SqlDialect dialect = SqlDialect::postgres) {
  std::vector<std::string> names;
  const auto tokens = tokenize_sql(text, dialect);
  REQUIRE(tokens);
  for (const auto& token : *tokens) {
    if (token.kind == SqlToken::Kind::parameter) names.emplace_back(token.text);
  }
  return names;
}

}  // namespace

TEST_CASE("every statement has its verbs", "[policy][sql]") {
  struct Row {
    const char* text;
    const char* verbs;
  };
  const Row table[] = {
      {"select 1", "select"},
      {"  SeLeCt 1 ;; ", "select"},
      {"(select 1) union (select 2)", "select"},
      {"values (1)", "select"},
      {"table orders", "select"},
      {"insert into a values (1)", "insert"},
      {"insert into a select * from b", "select, insert"},
      {"insert into a(id) values (:id) on conflict (id) do update set id = excluded.id", "insert, update"},
      {"insert into a(id) values (:id) on conflict do nothing", "insert"},
      {"update a set x = (select 1)", "select, update"},
      {"delete from a", "delete"},
      {"DELETE/**/FROM a", "delete"},
      {"merge into a using b on true when matched then update set x = 1 when not matched then insert values (1)",
       "insert, update, merge"},
      {"with x as (select 1) select * from x", "select"},
      {"with x as (delete from a returning *) select * from x", "select, delete"},
      {"with x as materialized (insert into a values (1) returning *) select * from x", "select, insert"},
      {"with recursive x as (select 1) update a set y = 1", "select, update"},
      {"select * from a for update", "select, update"},
      {"select * into b from a", "select, ddl"},
      {"select id as insert into leak from orders", "select, insert, ddl"},
      {"select (id) insert into leak from orders", "select, insert, ddl"},
      {"with x as (select 1) select id insert into leak from orders", "select, insert, ddl"},
      {"with merge as (select 1) select id into leak from orders", "select, merge, ddl"},
      {"select insert or ignore into leak from q", "select, insert, ddl"},
      {"with x as (select 1) insert into a select * from x", "select, insert"},
      {"with x as (insert into a values (1) returning id) select id from x", "select, insert"},
      {"with x as (select 1) replace into a select * from x", "select, insert, update, delete"},
      {"insert or ignore into a select 1", "select, insert"},
      {"select replace(a, 'x', 'y') from t", "select"},
      {"select t.into, t.replace from t", "select"},
      {"insert into a table b", "select, insert"},
      {"with x as (table a) update b set c = 1", "select, update"},
      {"create table a as select 1", "select, ddl"},
      {"create table leak as select * from salaries", "select, ddl"},
      {"create table leak as table salaries", "select, ddl"},
      {"create materialized view leak as (table salaries)", "select, ddl"},
      {"create table leak as values (1) union all table salaries", "select, ddl"},
      {"create or replace view a as select 1", "select, ddl"},
      {"create rule r as on insert to a do also delete from b", "insert, delete, ddl"},
      {"create table a (b int references c on delete cascade on update set null)", "ddl"},
      {"create temporary table a (b int)", "ddl"},
      {"comment on table a is 'select'", "ddl"},
      {"drop table a", "ddl"},
      {"truncate a", "ddl"},
      {"alter table a add b int", "ddl"},
      {"call nightly()", "call"},
      {"select 'delete from a; drop table b'", "select"},
      {"select \"delete\", t.update from t", "select"},
      {"select $$ delete from a; $$", "select"},
      {"select $x$ $$ ; delete $x$", "select"},
      {"select -- delete from a\n 1", "select"},
      {"select /* ; delete from a */ 1", "select"},
      {"select /* /* nested */ ; delete */ 1", "select"},
      {"select E'it\\'s; delete from a'", "select"},
      {"replace into a values (1)", "insert, update, delete"},
      {"insert or replace into a values (1)", "insert, update, delete"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(verbs(row.text) == row.verbs);
  }
}

TEST_CASE("what cannot be judged is refused", "[policy][sql]") {
  struct Row {
    const char* text;
    const char* reason;
  };
  const Row table[] = {
      {"", "does not begin with a keyword"},
      {"-- nothing", "does not begin with a keyword"},
      {"select 1; delete from a", "more than one statement"},
      {"; delete from a", "more than one statement"},
      {"select 1 ;; select 2", "more than one statement"},
      {"copy a to program 'rm -rf /'", "begins with copy"},
      {"do $$ begin delete from a; end $$", "begins with do"},
      {"set role postgres", "begins with set"},
      {"begin", "begins with begin"},
      {"commit", "begins with commit"},
      {"grant all on a to b", "begins with grant"},
      {"explain analyze delete from a", "begins with explain"},
      {"prepare x as delete from a", "begins with prepare"},
      {"with x", "no verb after WITH"},
      {"'select'", "does not begin with a keyword"},
      {"select 'open", "quote that is not closed"},
      {"select \"open", "quote that is not closed"},
      {"select /* open", "comment that is not closed"},
      {"select /* /* */ 1", "comment that is not closed"},
      {"select $x$ open $y$", "dollar quote that is not closed"},
      {"select $1", "positional placeholder"},
      {"select $", "stray $"},
      {"select E'a'\n'b\\' || '", "a string directly after a string"},
      {"select 'a' -- b\n 'b'", "a string directly after a string"},
      {"select U&'a'\n'b'", "a string directly after a string"},
      {"select 1_e'\\'", "a number that runs into a word"},
      {"select 1e'\\'", "a number that runs into a word"},
      {"select 0b1e'\\'", "a number that runs into a word"},
      {"select 1e-e'\\'", "a number that runs into a word"},
      {"select 1..e'\\'", "a number that runs into a word"},
      {"select .5delete", "a number that runs into a word"},
      {"select E:x'\\'", "a parameter that touches the word before it"},
      {"\xEF\xBB\xBF"
       "delete from a",
       "a byte order mark"},
      {"with x as (select 1) \xEF\xBB\xBF"
       "delete from a",
       "a byte order mark"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    const auto answer = verbs(row.text);
    CHECK(answer.starts_with("refused: "));
    CHECK(answer.find(row.reason) != std::string::npos);
  }
  CHECK(verbs(std::string_view("select 1\0; delete from a", 24)).find("NUL") != std::string::npos);
  CHECK(verbs(std::string_view("select $$\0$$", 13)).find("NUL") != std::string::npos);
  CHECK(verbs(std::string_view("select 1 -- \0", 13)).find("NUL") != std::string::npos);
  CHECK_FALSE(tokenize_sql(std::string((1u << 20) + 1, ' '), SqlDialect::sqlite));
}

TEST_CASE("dialects differ, and each is read as its server reads it", "[policy][sql]") {
  // SQLite's comments do not nest and its strings have no escapes: what hides text from one shows it to the other.
  CHECK(verbs("/* /* */ delete from a", SqlDialect::sqlite) == "delete");
  CHECK(verbs("select E'\\'; delete from a --'", SqlDialect::sqlite).find("more than one") != std::string::npos);
  CHECK(verbs("select 1 -- x\r; delete from a", SqlDialect::postgres).find("more than one") != std::string::npos);
  CHECK(verbs("select 1 -- x\r; delete from a", SqlDialect::sqlite) == "select");
  CHECK(verbs("select [a;b], `c;d` from t", SqlDialect::sqlite) == "select");
  CHECK(verbs("select ?", SqlDialect::sqlite).find("positional placeholder") != std::string::npos);
  CHECK(verbs("select @x", SqlDialect::sqlite).find("positional placeholder") != std::string::npos);
  CHECK(verbs("select data ? 'key' from t", SqlDialect::postgres) == "select");
  CHECK(verbs("attach 'x' as y", SqlDialect::sqlite).find("begins with attach") != std::string::npos);
  CHECK(verbs("pragma writable_schema = 1", SqlDialect::sqlite).find("begins with pragma") != std::string::npos);
}

TEST_CASE("what servers read alike is not refused", "[policy][sql]") {
  for (const char* text :
       {"select 1, 1.5, .5, 1., 1e10, 1.5E-3, 0x1F, 1_000 from t", "select 'a' || 'b', \"c\" from t",
        "select date '2026-01-31', \"date\" '2026-01-31'",
        "select 'it''s', E'it''s\\n', U&'\\0061', B'01', X'1F', N'x'", "select $$a$$ || $b$ $$ $b$, a$b from t",
        "select a->>'b', a #>> '{c}', b @> '{}' from t where a <> -1", "select sum(a) filter (where b = :b) from t",
        "select 1 /* -- */ + /* ' */ 2 -- '"}) {
    INFO(text);
    CHECK(verbs(text) == "select");
  }
  CHECK(verbs("select 'a' 'b', x'1F', \"c\", [d e], `f`, 1.5e3, :x from t", SqlDialect::sqlite) == "select");
  CHECK(verbs("select :1", SqlDialect::sqlite).find("begins no parameter") != std::string::npos);
}

TEST_CASE("parameters are found, and only where they are", "[policy][sql]") {
  using Names = std::vector<std::string>;
  CHECK(parameters("insert into a values (:id, :total)") == Names{"id", "total"});
  CHECK(parameters("select :id::int, ':no', \":no\", x::text -- :no") == Names{"id"});
  CHECK(parameters("select $$:no$$, /* :no */ :_a1") == Names{"_a1"});
  CHECK(parameters("select a[1 : 2], x := 1") == Names{});
  CHECK(parameters("select :ä") == Names{"ä"});
  const auto tokens = *tokenize_sql("select  :id", SqlDialect::sqlite);
  CHECK(tokens.back().offset == 8);
}

TEST_CASE("a statement cut at every byte never crashes the tokenizer", "[policy][sql]") {
  const std::string text =
      "with x as (select E'\\'' || $t$;$t$ || \"q\"\"\" /* /* */ */ from [a] -- c\n) delete from a where b = :b::int;";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    for (auto dialect : {SqlDialect::postgres, SqlDialect::sqlite}) {
      if (const auto tokens = tokenize_sql(std::string_view(text).substr(0, cut), dialect)) (void)verbs_of(*tokens);
    }
  }
}

TEST_CASE("MySQL's texts are read as its servers read them", "[policy][sql][mysql]") {
  struct Row {
    const char* text;
    const char* verbs;
  };
  const Row table[] = {
      {"select 'a\\' into outfile \\'x' from t", "select"},
      {"select \"a\\\" into outfile \" from t", "select"},
      {"select `a\\` from t", "select"},
      {"select `a``; delete from t` from t", "select"},
      {"select 1 # ; delete from t", "select"},
      {"select 1 -- ; delete from t", "select"},
      {"select 1 --", "select"},
      {"# delete\nselect 1", "select"},
      {"select /* ; delete */ 1", "select"},
      {"select a[0], `x` from t", "select"},
      {"select 'a' 'b'", "select"},
      {"select * from t for update", "select, update"},
      {"insert into t values (1) on duplicate key update a = 1", "insert, update"},
      {"replace into t select * from q", "select, insert, update, delete"},
      {"select outfile from t", "select"},
      {"create table a select * from b", "select, ddl"},
      {"call p(:a)", "call"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(verbs(row.text, SqlDialect::mysql) == row.verbs);
  }
  struct Refused {
    const char* text;
    const char* reason;
  };
  const Refused refused[] = {
      {"/*! delete from t */ select 1", "a comment that the server takes for a part of the statement"},
      {"select /*!50000 1, */ 2", "a comment that the server takes for a part of the statement"},
      {"select /*M! 1, */ 2", "a comment that the server takes for a part of the statement"},
      {"select /*+ SET_VAR(sql_mode = 'ANSI_QUOTES') */ 2", "a comment that the server takes for a part"},
      {"select /* /*! */ 1 */", "a comment in a comment"},
      {"select 1--1", "-- without white space after it"},
      {"select 1 --\x01 2", "-- without white space after it"},
      {"select @a", "a variable"},
      {"select @@sql_mode", "a variable"},
      {"select 1 into outfile '/tmp/x'", "INTO OUTFILE"},
      {"select 1 InTo /* */ DumpFile '/tmp/x'", "INTO OUTFILE"},
      {"select \\'a'", "a backslash outside of quotes"},
      {"select 'a\\'", "a quote that is not closed"},
      {"select \"a\\\"", "a quote that is not closed"},
      {"select $$ delete $$", "positional placeholder"},
      {"select ?", "positional placeholder"},
      {"select a := 1", "a colon that begins no parameter"},
      {"select 1; delete from t", "more than one statement"},
      {"load data local infile 'x' into table t", "begins with load"},
      {"handler t open", "begins with handler"},
      {"set names gbk", "begins with set"},
      {"do sleep(1)", "begins with do"},
      {"xa start 'x'", "begins with xa"},
      {"prepare s from 'delete from t'", "begins with prepare"},
      {"execute immediate 'delete from t'", "begins with execute"},
      {"lock tables t write", "begins with lock"},
      {"explain delete from t", "begins with explain"},
      {"analyze delete from t", "begins with analyze"},
      {"use mysql", "begins with use"},
      {"rename table a to b", "begins with rename"},
  };
  for (const auto& row : refused) {
    INFO(row.text);
    const auto answer = verbs(row.text, SqlDialect::mysql);
    INFO(answer);
    CHECK(answer.starts_with("refused: "));
    CHECK(answer.find(row.reason) != std::string::npos);
  }
  CHECK(parameters("select :a, ':b\\':c', \":d\", `:e`, :f # :g\n, :h -- :i", SqlDialect::mysql) ==
        std::vector<std::string>{"a", "f", "h"});
}

TEST_CASE("through ODBC only what every server reads alike is taken", "[policy][sql][odbc]") {
  const auto odbc = [](std::string_view text) { return verbs(text, SqlDialect::odbc); };
  struct Row {
    const char* text;
    const char* verbs;
  };
  const Row table[] = {
      {"select a, \"drop\", 'it''s; exec' from t where b = :b", "select"},
      {"select \"Straße\", 'Köln', 'Αθήνα', 'Ґ' from t", "select"},
      {"select :a::int, v$x from t offset 1 rows fetch next 5 rows only", "select"},
      {"insert into t (a) values (:a);", "insert"},
      {"update t set a = (select max(b) from q)", "select, update"},
      {"merge into t using q on t.a = q.a when matched then update set b = 1", "update, merge"},
      {"insert into t values (1) on conflict (a) do update set b = 2", "insert, update"},
      {"select 1 delete from t", "select, delete"},
      {"alter table t drop column a", "ddl"},
      {"alter table t alter column a int", "ddl"},
      {"drop table t", "ddl"},
      {"call p(:a)", "call"},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(odbc(row.text) == row.verbs);
  }
  struct Refused {
    const char* text;
    const char* reason;
  };
  const Refused refused[] = {
      {"select 1 -- x", "a comment"},
      {"select /* x */ 1", "a comment"},
      {"select 1 # x", "a character"},
      {"select [a] from t", "a character"},
      {"select `a` from t", "a character"},
      {"select {fn now()}", "a character"},
      {"select @x", "a character"},
      {"select $$x$$", "a character"},
      {"select ?", "a positional placeholder"},
      {"select \\x", "a character"},
      {"select 'a\\' + ' drop'", "a backslash in quotes"},
      {"select \"a\\\"", "a backslash in quotes"},
      {"select 'a' 'b'", "a string directly after a string"},
      {"select q'[it's]'", "a string of Oracle's"},
      {"select NQ'[it's]'", "a string of Oracle's"},
      {"select 'a\xCA\xBC; drop'", "a letter in quotes"},      // U+02BC, an apostrophe to some conversions
      {"select 'a\xEF\xBC\x87; drop'", "a letter in quotes"},  // U+FF07
      {"select 'a\xCD\xBE'", "a letter in quotes"},            // U+037E, a semicolon
      {"select 'a\xC3'", "a letter in quotes"},
      {"select 1 \xC2\xA0"
       "drop table t",
       "not ASCII outside"},
      {"select x\xC2\xA0"
       "exec p",
       "not ASCII outside"},
      {"select a exec p", "begin another statement"},
      {"select a DROP table t", "begin another statement"},
      {"create table x (a int) truncate table t", "begin another statement"},
      {"select * from openrowset('x')", "begin another statement"},
      {"update t set a = 1 set nocount on", "a SET that belongs to no UPDATE"},
      {"select 1 set nocount on", "a SET that belongs to no UPDATE"},
      {"select a into outfile 'x' from t", "INTO OUTFILE"},
      {"exec p", "begins with exec"},
  };
  for (const auto& row : refused) {
    INFO(row.text);
    const auto answer = odbc(row.text);
    CHECK(answer.starts_with("refused: "));
    CHECK(answer.contains(row.reason));
  }
  CHECK(parameters("select :a, ':b', :a", SqlDialect::odbc) == std::vector<std::string>{"a", "a"});
}
