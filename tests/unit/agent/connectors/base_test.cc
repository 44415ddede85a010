#include "agent/connectors/arguments.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/run_time.h"
#include "agent/connectors/site.h"
#include "agent/connectors/stored_cells.h"
#include "agent/connectors/stored_rows.h"
#include "agent/connectors/translate.h"
#include "shared/base/json.h"
#include "shared/base/utf8.h"
#include "tests/support/connector_site.h"

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
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

namespace {

class StandingClock final : public Clock {
 public:
  WallTime wall() const override { return from_unix_ms(0); }
  SteadyTime steady() const override { return now; }
  SteadyTime now{std::chrono::hours(1)};
};

// Runs until its deadline.
class Sleeper final : public Action {
 public:
  explicit Sleeper(StandingClock& clock) : clock_(clock) {}
  std::string_view name() const override { return "command.run@1"; }
  bool keeps_ledger(std::string_view connection, const Value&) const override { return connection == "kept"; }
  StepResult<Output> run(const StepContext& context, const Value& arguments) override {
    if (arguments == Value("fail")) return step_fail("timeout", "no answer");
    seen = context.deadline - clock_.steady();
    clock_.now = context.deadline;
    return step_fail(arguments.as_string(), "cut");
  }
  std::chrono::nanoseconds seen{};

 private:
  StandingClock& clock_;
};

}  // namespace

TEST_CASE("no step has more time than the policy gives it, and what that limit cuts says so", "[connectors]") {
  test::ConnectorSite agent("connections: {}", "limits: {run_time: 10s}");
  StandingClock clock;
  const Site real = agent.site();
  const Site site{real.connections, real.policy, real.vault, clock, real.log};
  auto sleeper = std::make_unique<Sleeper>(clock);
  const auto& seen = sleeper->seen;
  const auto action = within_run_time(std::move(sleeper), site);
  CHECK(action->name() == "command.run@1");
  CHECK(action->keeps_ledger("kept", {}));
  const auto run = [&](const char* what, std::chrono::seconds patience) {
    const StepContext context{agent.job, "a", 1, "k", "", clock.steady() + patience, {}, agent.bodies};
    return action->run(context, Value(what)).error();
  };
  const std::string named = "cut: 10s is the limit of the local policy (limits.run_time)";
  CHECK(run("timeout", 1h).message == named);
  CHECK(seen == 10s);
  CHECK(run("timeout", 5s).message == "cut");
  CHECK(seen == 5s);
  CHECK(run("in_doubt", 1h).message == "cut");
  CHECK(run("fail", 1h).message == "no answer");
}

TEST_CASE("between pieces of work a step looks whether it has to end", "[connectors]") {
  test::ConnectorSite agent("connections: {}", "{}");
  const auto check = [&](std::chrono::seconds left, std::stop_token stop) {
    const auto deadline = std::chrono::steady_clock::now() + left;
    return check_going_on(agent.site(), {agent.job, "a", 1, "k", "", deadline, std::move(stop), agent.bodies});
  };
  CHECK(check(1h, {}));
  CHECK(check(0s, {}).error().error_class() == "timeout");
  std::stop_source stopped;
  stopped.request_stop();
  CHECK(check(1h, stopped.get_token()).error().error_class() == "cancelled");
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
  auto text = *stored_columns(names);
  const ValueList first{Value(2.0), Value(Bytes{std::byte{0xff}}), Value()};
  append_stored_row(text, first);
  append_stored_row(text, {Value(INT64_MIN), Value("line\nbreak"), Value(true)});
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

  const auto none = open(*stored_columns(names));
  REQUIRE(none);
  CHECK((*none)->columns() == names);
  CHECK_FALSE((*none)->next()->has_value());
}

TEST_CASE("stored rows that this agent did not write are an error, without their content", "[connectors][rows]") {
  test::ConnectorSite agent("connections: {}", "{}");
  using namespace std::string_literals;
  const auto record = [](const std::string& cells) {
    std::string text;
    append_stored_size(text, cells.size());
    return text + cells;
  };
  const auto text = [](const std::string& content) {
    std::string cell;
    append_stored_cell(cell, Value(content));
    return cell;
  };
  const auto head = *stored_columns(std::vector<std::string>{"a"});
  const auto row = record(text("c4n4ry"));
  const auto good = StoredRowsFormat().open(stored_rows_handle(agent.bodies.put(head + row)), agent.bodies);
  CHECK((*(*good)->next())->find("a")->as_string() == "c4n4ry");  // positive control
  for (const auto& body :
       {""s, "rows1\n"s, "[\"c4n4ry\"]\n"s, "rows2\n" + row, "rows1\n" + record("\1"), "rows1\n" + record("c4n4ry"),
        head + "c4n"s, head + "c4n4ry"s, head + row.substr(0, row.size() - 1), head + "\xff\xff\xff\x7f" + "c4n4ry",
        head + record(text("c4n4ry") + text("c4n4ry")), head + record(""), head + record("\x09"),
        head + record("\3c4n4ry"), head + record("\6\x07\0\0\0c4n4ry"s), head + record("\6\1\0\0\0\xff"s),
        head + record("\x08\7\0\0\0\"c4n4ry"s)}) {
    INFO(escaped_utf8(body));
    const auto rows = StoredRowsFormat().open(stored_rows_handle(agent.bodies.put(body)), agent.bodies);
    const auto error = rows ? (*rows)->next().error() : rows.error();
    CHECK(error.error_class() == "format");
    CHECK(error.message.find("c4n4ry") == std::string::npos);
  }
  CHECK(StoredRowsFormat().open(Handle{"rows", {}}, agent.bodies).error().error_class() == "invalid");
  CHECK(stored_columns(std::vector<std::string>{"a", "a"}).error().message.find("two columns") == 0);
  for (const char* name : {"$bytes", "$handle", "$double"})
    CHECK(stored_columns(std::vector<std::string>{name}).error().error_class() == "invalid");
}
