#include "agent/connectors/arguments.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/site.h"
#include "agent/connectors/stored_rows.h"
#include "agent/connectors/translate.h"
#include "shared/base/json.h"
#include "tests/support/connector_site.h"

using namespace sallyport;
using namespace sallyport::connectors;
using test::args;

TEST_CASE("arguments are read by type, and faults name them without their value", "[connectors]") {
  const Value map(args({{"t", "c4n4ry"},
                        {"i", 7},
                        {"b", true},
                        {"n", Value()},
                        {"d", "5s"},
                        {"v", Value(Duration{1, 500'000'000})},
                        {"h", Value(Handle{"spool", {}})}}));
  const Arguments arguments(map);
  CHECK(arguments.text("t") == "c4n4ry");
  CHECK(arguments.integer("i") == 7);
  CHECK(arguments.is_true("b"));
  CHECK_FALSE(arguments.is_true("none"));
  CHECK(arguments.find("n") == nullptr);
  CHECK(arguments.duration("d") == std::chrono::seconds(5));
  CHECK(arguments.duration("v") == std::chrono::milliseconds(1500));
  CHECK_FALSE(arguments.duration("t"));
  CHECK(arguments.handle("h")->kind == "spool");
  CHECK(arguments.text_or("none", "x") == "x");
  CHECK(arguments.integer_or("t", 3) == 3);
  CHECK((*arguments.any("n"))->is_null());
  for (const auto& error : {arguments.integer("t").error(), arguments.handle("t").error(),
                            arguments.text("none").error(), arguments.any("none").error()}) {
    CHECK(error.error_class() == "invalid");
    CHECK(error.message.find("c4n4ry") == std::string::npos);
  }
  CHECK(text_attribute(Handle{"file", {}}, "path").error().message ==
        "a body of kind \"file\" lacks its attribute \"path\"");
  CHECK(integer_attribute(Handle{"file", args({{"size", "x"}})}, "size").error().error_class() == "invalid");
}

TEST_CASE("every error code has a class of the closed set", "[connectors]") {
  struct Row {
    Errc code;
    const char* error_class;
  };
  const Row table[] = {
      {Errc::cancelled, "cancelled"},        {Errc::timed_out, "timeout"},    {Errc::unavailable, "connection"},
      {Errc::unauthenticated, "permission"}, {Errc::forbidden, "permission"}, {Errc::not_found, "not_found"},
      {Errc::conflict, "changed"},           {Errc::invalid, "invalid"},      {Errc::too_large, "too_large"},
      {Errc::exhausted, "disk_full"},        {Errc::internal, "internal"}};
  const auto known = recipe::error_classes();
  for (const auto& row : table) {
    const auto error = to_step_error(Error{row.code, "why"});
    CHECK(error.classes == std::vector<std::string>{row.error_class});
    CHECK(std::ranges::find(known, row.error_class) != known.end());
  }
}

TEST_CASE("a refusal of the policy keeps its rule, in the text too", "[connectors]") {
  const auto error = to_step_error(policy::Refusal{"policy.yaml:3 actions", "not allowed"});
  CHECK(error == StepError{{"policy"}, "not allowed (policy.yaml:3 actions)", "policy.yaml:3 actions"});
  CHECK(step_in_context("reading", error).error().message == "reading: not allowed (policy.yaml:3 actions)");
}

TEST_CASE("a step's deadline is never later than the policy's run time", "[connectors]") {
  test::ConnectorSite agent("connections: {}", "limits: {run_time: 1s}");
  const StepContext context{agent.job,   "a", 1, "k", "", std::chrono::steady_clock::now() + std::chrono::hours(1), {},
                            agent.bodies};
  const auto deadline = effective_deadline(agent.site(), context);
  CHECK(deadline <= std::chrono::steady_clock::now() + std::chrono::seconds(1));
  CHECK(check_going_on(agent.site(), context, deadline));
  CHECK(check_going_on(agent.site(), context, std::chrono::steady_clock::now()).error().error_class() == "timeout");
}

TEST_CASE("rows come from lists and maps as from handles", "[connectors]") {
  test::ConnectorSite agent("connections: {}", "{}");
  const Value list(ValueList{Value(args({{"a", 1}, {"b", 2}})), Value(args({{"a", 3}})), Value(4)});
  const auto rows = open_argument_rows(list, agent.bodies);
  REQUIRE(rows);
  CHECK((*rows)->columns() == std::vector<std::string>{"a", "b"});
  CHECK(to_json(**(*rows)->next()) == R"({"a":1,"b":2})");
  CHECK(to_json(**(*rows)->next()) == R"({"a":3})");
  CHECK((*rows)->next().error().message == "row 3 is no map of columns");
  const Value map(args({{"a", 1}}));
  const auto one = open_argument_rows(map, agent.bodies);
  CHECK(**(*one)->next() == map);
  const auto end = (*one)->next();
  CHECK((end && !*end));
  CHECK(open_argument_rows(Value("text"), agent.bodies).error().error_class() == "invalid");
  RowsOpener opener({});
  CHECK(opener.open_rows(Handle{"rows", args({{"format", "xml"}})}, agent.bodies).error().message.find("\"xml\"") !=
        std::string::npos);
  CHECK_FALSE(opener.open_bytes(Handle{"rows", {}}, agent.bodies));
}

TEST_CASE("stored rows keep types, and columns in their order", "[connectors][rows]") {
  test::ConnectorSite agent("connections: {}", "{}");
  const std::vector<std::string> names{"z", "a", "m"};
  auto text = *stored_columns_line(names);
  const ValueList first{Value(2.0), Value(Bytes{std::byte{0xff}}), Value()};
  text += stored_row_line(first) + stored_row_line({Value(INT64_MIN), Value("line\nbreak"), Value(true)});
  const auto open = [&](std::string_view body) {
    return StoredRowsFormat().open(stored_rows_handle(agent.bodies.put(body)), agent.bodies);
  };
  const auto rows = open(text);
  REQUIRE(rows);
  CHECK((*rows)->columns() == names);
  CHECK(**(*rows)->next() == Value(args({{"z", first[0]}, {"a", first[1]}, {"m", first[2]}})));
  CHECK(to_json(**(*rows)->next()) == R"({"a":"line\nbreak","m":true,"z":-9223372036854775808})");
  const auto end = (*rows)->next();
  CHECK((end && !*end));

  const auto none = open(*stored_columns_line(names));
  REQUIRE(none);
  CHECK((*none)->columns() == names);
  CHECK_FALSE((*none)->next()->has_value());
}

TEST_CASE("stored rows that this agent did not write are an error, without their content", "[connectors][rows]") {
  test::ConnectorSite agent("connections: {}", "{}");
  for (const char* body : {"", "{}\n", "c4n4ry\n", "[1]\n", "[\"a\"]\n{\"a\":\"c4n4ry\"}\n", "[\"a\"]\n[1,2]\n",
                           "[\"a\"]\n[]\n", "[\"a\"]\n[\"c4n4ry\n"}) {
    INFO(body);
    const auto rows = StoredRowsFormat().open(stored_rows_handle(agent.bodies.put(body)), agent.bodies);
    const auto error = rows ? (*rows)->next().error() : rows.error();
    CHECK(error.error_class() == "format");
    CHECK(error.message.find("c4n4ry") == std::string::npos);
  }
  CHECK(StoredRowsFormat().open(Handle{"rows", {}}, agent.bodies).error().error_class() == "invalid");
  CHECK(stored_columns_line(std::vector<std::string>{"a", "a"}).error().message.find("two columns") == 0);
  for (const char* name : {"$bytes", "$handle", "$double"})
    CHECK(stored_columns_line(std::vector<std::string>{name}).error().error_class() == "invalid");
}
