#include "agent/runner/wire.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "tests/unit/agent/runner/engine_bench.h"

namespace sallyport::runner {
using namespace test;

namespace {

Result<wire::ToAgent> decode(const std::string& bytes) {
  wire::Assembler assembler;
  SP_TRY(auto whole, assembler.take(as_bytes(bytes)));
  if (!whole) return fail(Errc::internal, "more parts are expected");
  return *std::move(whole);
}

std::string part(std::string bytes, bool more) {
  v1::ToAgent message;
  REQUIRE(message.ParseFromString(bytes));
  message.set_more(more);
  return message.SerializeAsString();
}

}  // namespace

TEST_CASE("a Holding of as many jobs as there may ever be, and its answer, fit into one message", "[wire][bounds]") {
  constexpr int kMany = 10'000;  // an agent holds half as many, and what its slots take
  const std::vector<journal::HeldJob> held(kMany, {JobId(kJob1), ~std::uint64_t{0}});
  CHECK(
      wire::encode_holding(~std::uint64_t{0}, {~std::uint64_t{0}, ~std::uint64_t{0}}, held, ~std::uint64_t{0}).size() <
      (1u << 20));
  v1::ToAgent answer;
  for (int i = 0; i < kMany; ++i) {
    auto* lease = answer.mutable_leases()->add_renewed();
    lease->set_job_id(kJob1);
    lease->set_lease_epoch(~std::uint64_t{0});
    lease->set_lease_ms(86'400'000);
  }
  CHECK(answer.SerializeAsString().size() < (1u << 20));
  CHECK(decode(answer.SerializeAsString()));
}

TEST_CASE("messages of the relay become plain values", "[wire]") {
  const auto dispatched = decode(dispatch("{}", {.job = kJob2,
                                                 .epoch = 9,
                                                 .lease_ms = 1'000,
                                                 .holding = ~std::uint64_t{0},
                                                 .done = {{"a", "1"}, {"b[2]", "2"}}}));
  REQUIRE(dispatched);
  const auto& body = std::get<wire::Dispatch>(*dispatched);
  CHECK(body.lease.job == JobId(kJob2));
  CHECK(body.lease.epoch == 9);
  CHECK(body.lease.length == std::chrono::seconds(1));
  CHECK(body.holding == ~std::uint64_t{0});
  CHECK(body.recipe == RecipeId(kRecipe1));
  REQUIRE(body.done.size() == 2);
  CHECK(body.done[1].path == "b[2]");
  CHECK(body.done[1].output_json == "2");
  CHECK(std::get<wire::CancelJob>(*decode(cancel(kJob1, 3))).epoch == 3);
  const auto both = std::get<wire::Leases>(*decode(leases(kJob1, 4, 5, 60'000, 12)));
  CHECK(both.holding == 12);
  CHECK(both.renewed.at(0).epoch == 4);
  CHECK(both.fenced.at(0).epoch == 5);
  CHECK(std::get<wire::ReportsAcked>(*decode(acked(77))).seq == 77);
  const auto assigned = std::get<wire::Assignments>(*decode(assignments(2, {"{}", "[]"})));
  CHECK(assigned.revision == 2);
  CHECK(assigned.recipes.at(1).recipe_json == "[]");
  CHECK(assigned.recipes.at(1).payload == journal::Payload::of_recipe);
  CHECK(body.payload == journal::Payload::of_recipe);
  constexpr auto kNone = journal::Payload::none;
  CHECK(std::get<wire::Dispatch>(*decode(dispatch("{}", {.payload = kNone}))).payload == kNone);
  CHECK(std::get<wire::Assignments>(*decode(assignments(2, {"{}"}, kNone))).recipes.at(0).payload == kNone);
}

TEST_CASE("what is unknown or broken is refused", "[wire][bad-input]") {
  for (const std::string& bad :
       {std::string(), std::string("\x7a\x01x", 3), std::string("\xff"), std::string("\x0a\x05xx"), cancel("job_x", 1),
        cancel("", 1), cancel(kRecipe1, 1), leases("job_", 1, 0), leases("", 0, 1), dispatch("{}", {.job = "x"}),
        dispatch("{}", {.epoch = 0}), dispatch("{}", {.done = {{std::string(500, 'p'), ""}}})}) {
    const auto refused = decode(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
  }
}

TEST_CASE("a recipe assigned twice is refused", "[wire][bad-input]") {
  v1::ToAgent message;
  for (int i = 0; i < 2; ++i) message.mutable_assignments()->add_recipes()->set_recipe_id(kRecipe1);
  CHECK_FALSE(decode(message.SerializeAsString()));
}

TEST_CASE("a list in parts is one message when its last part is there", "[wire]") {
  wire::Assembler assembler;
  for (int round = 0; round < 2; ++round) {
    const auto begun = assembler.take(as_bytes(part(dispatch("{}", {.epoch = 9, .done = {{"a", "1"}}}), true)));
    REQUIRE(begun);
    CHECK_FALSE(begun->has_value());
    const auto whole = assembler.take(as_bytes(part(dispatch("", {.epoch = 9, .done = {{"b", "2"}}}), false)));
    REQUIRE(whole);
    REQUIRE(whole->has_value());
    const auto& body = std::get<wire::Dispatch>(**whole);
    CHECK(body.recipe_json == "{}");
    REQUIRE(body.done.size() == 2);
    CHECK(body.done[1].path == "b");
  }
}

TEST_CASE("parts that do not belong together are refused", "[wire][bad-input]") {
  const auto first = part(dispatch("{}", {.epoch = 9, .done = {{"a", "1"}}}), true);
  for (const auto& second : {dispatch("{}", {.job = kJob2, .epoch = 9}), dispatch("{}", {.epoch = 8}), cancel(kJob1, 9),
                             acked(1), assignments(1, {"{}"})}) {
    wire::Assembler assembler;
    REQUIRE(assembler.take(as_bytes(first)));
    CHECK_FALSE(assembler.take(as_bytes(second)));
  }
}

TEST_CASE("parts without end are refused", "[wire][bounds]") {
  wire::Assembler assembler;
  const auto endless = part(dispatch("{}", {.epoch = 9, .done = {{"a", std::string(500'000, '1')}}}), true);
  std::size_t taken = 0;
  while (taken < 100 && assembler.take(as_bytes(endless))) ++taken;
  CHECK(taken * endless.size() > (15u << 20));
  CHECK(taken * endless.size() <= (16u << 20));
}

TEST_CASE("a recipe assigned twice is refused, in two parts as well", "[wire][bad-input]") {
  wire::Assembler assembler;
  REQUIRE(assembler.take(as_bytes(part(assignments(2, {"{}"}), true))));
  CHECK_FALSE(assembler.take(as_bytes(part(assignments(2, {"{}"}), false))));
}

TEST_CASE("a message cut anywhere is refused", "[wire][bad-input]") {
  const std::string whole =
      dispatch(canonical("steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n"));
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    CHECK_FALSE(decode(whole.substr(0, cut)));
  }
}

// Bytes as they go over the wire, so that neither a number nor a meaning of a field changes by accident.
TEST_CASE("what a lease rests on, byte by byte", "[wire]") {
  using namespace std::string_literals;
  CHECK(wire::encode_holding(300, {}, {{JobId("j"), 2}}, 7) ==
        "\x0a\x0c\x0a\x05\x0a\x01j\x10\x02\x10\x07\x18\xac\x02"s);
  CHECK(wire::encode_holding(1, {}, {}, 0) == "\x0a\x02\x18\x01"s);
  CHECK(wire::encode_holding(1, {3, 300}, {}, 0) == "\x0a\x07\x18\x01\x20\x03\x28\xac\x02"s);
  const auto answered = decode("\x1a\x28\x0a\x24\x0a\x1e"s + kJob1 + "\x10\x04\x18\x32\x18\x05"s);
  REQUIRE(answered);
  const auto& body = std::get<wire::Leases>(*answered);
  CHECK(body.holding == 5);
  CHECK(body.renewed.at(0).epoch == 4);
  CHECK(body.renewed.at(0).length == std::chrono::milliseconds(50));
  const auto dispatched =
      decode("\x0a\x49\x0a\x1e"s + kJob1 + "\x10\x01\x18\xe8\x07\x22\x1e"s + kRecipe1 + "\x60\x09"s + "\x50\x01"s);
  REQUIRE(dispatched);
  CHECK(std::get<wire::Dispatch>(*dispatched).holding == 9);
  CHECK(std::get<wire::Dispatch>(*dispatched).lease.length == std::chrono::seconds(1));
}

TEST_CASE("parts of a dispatch rest on what the first one names", "[wire]") {
  wire::Assembler assembler;
  auto opened = assembler.take(as_bytes(part(dispatch("{}", {.holding = 7, .done = {{"a", "1"}}}), true)));
  REQUIRE(opened);
  CHECK_FALSE(opened->has_value());
  const auto whole = assembler.take(as_bytes(part(dispatch("{}", {.holding = 99, .done = {{"b", "2"}}}), false)));
  REQUIRE(whole);
  REQUIRE(whole->has_value());
  CHECK(std::get<wire::Dispatch>(**whole).holding == 7);
  CHECK(std::get<wire::Dispatch>(**whole).done.size() == 2);
}

TEST_CASE("a lease of absurd length is capped", "[wire][bounds]") {
  const auto both = std::get<wire::Leases>(*decode(leases(kJob1, 1, 0, 0xffffffff)));
  CHECK(both.renewed.at(0).length == std::chrono::hours(24));
}

TEST_CASE("reports carry the numbers of their row and everything that was said", "[wire]") {
  const report::StepFinished finished{"a[1]", 2, "failed", "", "sqlstate:40001", "deadlock", 5'000, "sql.query@1"};
  journal::OutboxRow row{
      .seq = 8, .job = JobId(kJob1), .epoch = 3, .job_seq = 4, .report = wire::encode_body(finished, from_unix_ms(99))};
  v1::ToRelay message;
  REQUIRE(message.ParseFromString(wire::encode(row)));
  const auto& report = message.report();
  CHECK(report.seq() == 8);
  CHECK(report.job_id() == kJob1);
  CHECK(report.lease_epoch() == 3);
  CHECK(report.job_seq() == 4);
  CHECK(report.at_ms() == 99);
  CHECK(report.step_finished().path() == "a[1]");
  CHECK(report.step_finished().attempt() == 2);
  CHECK(report.step_finished().error_class() == "sqlstate:40001");
  CHECK(report.step_finished().will_retry());
  CHECK(report.step_finished().retry_at_ms() == 5'000);
  CHECK(report.step_finished().uses() == "sql.query@1");
}

TEST_CASE("a row that cannot be read is told and passed over", "[wire][bad-input]") {
  const std::string huge =
      wire::encode_body(report::StepLog{"a", "info", "x"}, from_unix_ms(1)) + std::string(600'000, 'x');
  const std::string not_text("\x52\x08\x0a\x06jo\xe9n\xff!", 10);
  const std::vector<std::optional<std::string>> bad = {std::nullopt, "\xff\xff", "", not_text, huge};
  for (const auto& stored : bad) {
    v1::ToRelay message;
    const journal::OutboxRow row{.seq = 8, .job = JobId(kJob1), .epoch = 3, .job_seq = 4, .report = stored};
    REQUIRE(message.ParseFromString(wire::encode(row)));
    CHECK(message.report().seq() == 8);
    CHECK(message.report().job_seq() == 4);
    CHECK(message.report().agent_event().kind() == "report.lost");
    CHECK(message.report().agent_event().message().find("report 4") != std::string::npos);
  }
}

TEST_CASE("whatever a report is made of, it can be read and is not too long", "[wire][bad-input][bounds]") {
  const std::string bad = "caf\xe9";
  const std::string big(8u << 20, 'x');
  for (const std::string& text : {bad, big}) {
    const std::vector<report::Body> bodies = {report::JobStarted{RecipeId(kRecipe1), 1, text, text, text},
                                              report::StepStarted{text, 1, text, text},
                                              report::StepFinished{text, 1, text, text, text, text, std::nullopt},
                                              report::StepLog{text, text, text},
                                              report::JobFinished{text, text, text, text},
                                              report::AgentEvent{text, text, text}};
    for (const auto& body : bodies) {
      const std::string stored = wire::encode_body(body, from_unix_ms(1));
      CHECK(stored.size() <= wire::kMaxReport);
      v1::Report parsed;
      CHECK(parsed.ParseFromString(stored));
    }
  }
}

TEST_CASE("keys of events stay different when they are not text or too long", "[wire]") {
  const auto key_in_report = [](const std::string& key) {
    v1::Report parsed;
    REQUIRE(parsed.ParseFromString(wire::encode_body(report::JobStarted{RecipeId(kRecipe1), 1, "{}", key, "x"}, {})));
    return parsed.job_started().event_key();
  };
  CHECK(key_in_report("order 7") == "order 7");
  CHECK(key_in_report("a\xe9") != key_in_report("a\xe8"));
  CHECK(key_in_report(std::string(10'000, 'x') + "1") != key_in_report(std::string(10'000, 'x') + "2"));
  CHECK(key_in_report("a\xe9").starts_with("sha256:"));
}

TEST_CASE("a dispatch with more completed steps than can be taken over is one to refuse, not a broken protocol",
          "[wire][bounds]") {
  DispatchOptions options;
  for (int i = 0; i <= 10'000; ++i) options.done.emplace_back("a[" + std::to_string(i) + "]", "1");
  const auto decoded = decode(dispatch("{}", options));
  REQUIRE(decoded);
  CHECK(std::get<wire::Dispatch>(*decoded).problem.find("more than 10000 completed steps") != std::string::npos);
}

TEST_CASE("so is one whose parts together have too many", "[wire][bounds]") {
  DispatchOptions options;
  for (int i = 0; i < 6'000; ++i) options.done.emplace_back("a[" + std::to_string(i) + "]", "1");
  wire::Assembler assembler;
  REQUIRE(assembler.take(as_bytes(part(dispatch("{}", options), true))));
  const auto whole = assembler.take(as_bytes(part(dispatch("{}", options), false)));
  REQUIRE(whole);
  REQUIRE(whole->has_value());
  CHECK_FALSE(std::get<wire::Dispatch>(**whole).problem.empty());
}

}  // namespace sallyport::runner
