#include "relay/gateway/codec.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/base/text.h"

#include <catch2/catch.hpp>

#include <functional>

using namespace sallyport;
using namespace sallyport::gateway;
using namespace std::chrono_literals;

namespace {

Result<jobs::FromAgent> decoded(const v1::ToRelay& message) { return decode(as_bytes(message.SerializeAsString())); }

v1::ToAgent sent(const jobs::ToAgent& message) {
  const auto parts = encode(message);
  REQUIRE(parts.size() == 1);
  v1::ToAgent parsed;
  REQUIRE(parsed.ParseFromString(parts[0]));
  return parsed;
}

jobs::Report report_with(const std::function<void(v1::Report&)>& fill) {
  v1::ToRelay message;
  auto& report = *message.mutable_report();
  report.set_seq(7);
  report.set_job_id("job_1");
  report.set_lease_epoch(3);
  report.set_job_seq(2);
  report.set_at_ms(1'700'000'000'123);
  fill(report);
  auto got = decoded(message);
  REQUIRE(got);
  return std::get<jobs::Report>(*std::move(got));
}

}  // namespace

TEST_CASE("what the relay sends arrives field by field", "[gateway]") {
  const jobs::Dispatch dispatch{{JobId("job_1"), 4, 60s},
                                17,
                                RecipeId("rcp_1"),
                                2,
                                "{\"recipe\":1}",
                                "{\"kind\":\"manual\"}",
                                "key",
                                {{"a", 1, "succeeded", "{}"}, {"b[3]", 2, "skipped", "null"}},
                                5};
  const auto got = sent(dispatch).dispatch();
  CHECK(got.job_id() == "job_1");
  CHECK(got.lease_epoch() == 4);
  CHECK(got.lease_ms() == 60'000);
  CHECK(got.holding() == 17);
  CHECK(got.recipe_id() == "rcp_1");
  CHECK(got.recipe_version() == 2);
  CHECK(got.recipe_json() == "{\"recipe\":1}");
  CHECK(got.trigger_json() == "{\"kind\":\"manual\"}");
  CHECK(got.event_key() == "key");
  CHECK(got.run_number() == 5);
  CHECK_FALSE(got.no_payload());
  auto without = dispatch;
  without.payload = store::Payload::none;
  CHECK(sent(without).dispatch().no_payload());
  CHECK(got.dry_run_json().empty());
  auto dry = dispatch;
  dry.mode = store::Mode::dry_run;
  CHECK(sent(dry).dispatch().dry_run_json() == "{\"recipe\":1}");
  CHECK(sent(dry).dispatch().recipe_json().empty());  // which is all that an agent knows that knows no dry runs
  REQUIRE(got.done_size() == 2);
  CHECK(got.done(1).path() == "b[3]");
  CHECK(got.done(1).attempt() == 2);
  CHECK(got.done(1).status() == "skipped");

  const auto cancel = sent(jobs::CancelJob{JobId("job_2"), 9, "cancelled on request"}).cancel();
  CHECK(cancel.job_id() == "job_2");
  CHECK(cancel.lease_epoch() == 9);
  const auto leases = sent(jobs::LeaseAnswer{8, {{JobId("a"), 1, 5s}}, {{JobId("b"), 2, 0s}}}).leases();
  CHECK(leases.holding() == 8);
  CHECK(leases.renewed(0).lease_ms() == 5'000);
  CHECK(leases.fenced(0).job_id() == "b");
  CHECK(sent(jobs::ReportsAcked{~std::uint64_t{0}}).acked().seq() == ~std::uint64_t{0});
  const auto set =
      sent(jobs::AssignmentSet{11, {{RecipeId("r"), 3, "{}"}, {RecipeId("s"), 1, "{}", store::Payload::none}}})
          .assignments();
  CHECK(set.revision() == 11);
  CHECK(set.recipes(0).recipe_version() == 3);
  CHECK_FALSE(set.recipes(0).no_payload());
  CHECK(set.recipes(1).no_payload());
  CHECK(sent(jobs::AssignmentSet{12, {}}).has_assignments());
}

constexpr std::uint64_t kMost63 = ~std::uint64_t{0} >> 1;

TEST_CASE("a journal that no agent makes is a violation", "[gateway][hostile]") {
  v1::ToRelay message;
  message.mutable_holding()->set_journal(kMost63 + 1);
  auto refused = decoded(message);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("P13.22") != std::string::npos);
  message.mutable_holding()->set_journal(1);
  message.mutable_holding()->set_journal_seq(kMost63 + 1);
  refused = decoded(message);
  CHECK_FALSE(refused);
}

TEST_CASE("what the agent sends arrives field by field", "[gateway]") {
  v1::ToRelay message;
  auto& lease = *message.mutable_holding()->add_jobs();
  lease.set_job_id("job_1");
  lease.set_lease_epoch(2);
  message.mutable_holding()->set_assignments_revision(6);
  message.mutable_holding()->set_number(~std::uint64_t{0});
  message.mutable_holding()->set_journal(kMost63);
  message.mutable_holding()->set_journal_seq(41);
  const auto holding = std::get<jobs::Holding>(*decoded(message));
  CHECK(holding.jobs.at(0).job == JobId("job_1"));
  CHECK(holding.jobs.at(0).epoch == 2);
  CHECK(holding.assignments_revision == 6);
  CHECK(holding.number == ~std::uint64_t{0});
  CHECK(holding.journal == kMost63);
  CHECK(holding.journal_seq == 41);

  message.mutable_ready()->set_slots(4);
  CHECK(std::get<jobs::Ready>(*decoded(message)).slots == 4);

  auto& answer = *message.mutable_answer();
  answer.set_job_id("job_1");
  answer.set_lease_epoch(2);
  answer.set_error_class("busy");
  answer.set_message("full");
  const auto refused = std::get<jobs::DispatchAnswer>(*decoded(message));
  CHECK_FALSE(refused.accepted);
  CHECK(refused.error_class == "busy");
  CHECK(refused.epoch == 2);
}

TEST_CASE("the health of connections, so many and no more", "[gateway][health]") {
  v1::ToRelay message;
  auto& use = *message.mutable_health()->add_connections();
  use.set_name("erp");
  use.set_health("failing");
  use.set_error_class("permission");
  use.set_at_ms(12);
  const auto got = decoded(message);
  REQUIRE(got);
  const auto& uses = std::get<jobs::ReportedUses>(*got).uses;
  REQUIRE(uses.size() == 1);
  CHECK(uses[0].connection == "erp");
  CHECK(uses[0].health == "failing");
  CHECK(uses[0].error_class == "permission");
  CHECK(uses[0].at_ms == 12);
  while (message.health().connections_size() < 1'000) message.mutable_health()->add_connections();
  CHECK(decoded(message).has_value());
  message.mutable_health()->add_connections();
  const auto flood = decoded(message);
  REQUIRE_FALSE(flood);
  CHECK(flood.error().message.find("1,000") != std::string::npos);
}

TEST_CASE("every kind of report", "[gateway]") {
  auto report = report_with([](v1::Report& to) {
    auto& start = *to.mutable_job_started();
    start.set_recipe_id("rcp_1");
    start.set_recipe_version(2);
    start.set_trigger_kind("schedule");
  });
  CHECK(report.seq == 7);
  CHECK(report.job == JobId("job_1"));
  CHECK(report.epoch == 3);
  CHECK(report.job_seq == 2);
  CHECK(report.at_ms == 1'700'000'000'123);
  CHECK(std::get<jobs::ReportedJobStart>(report.what).trigger_kind == "schedule");

  report = report_with([](v1::Report& to) { to.mutable_step_started()->set_uses("sql.query@1"); });
  CHECK(std::get<jobs::ReportedStepStart>(report.what).uses == "sql.query@1");
  report = report_with([](v1::Report& to) {
    to.mutable_step_finished()->set_status("failed");
    to.mutable_step_finished()->set_retry_at_ms(5);
  });
  CHECK(std::get<jobs::ReportedStepEnd>(report.what).retry_at_ms == std::nullopt);  // will_retry decides
  report = report_with([](v1::Report& to) {
    to.mutable_step_finished()->set_will_retry(true);
    to.mutable_step_finished()->set_retry_at_ms(5);
  });
  CHECK(std::get<jobs::ReportedStepEnd>(report.what).retry_at_ms == 5);
  CHECK(std::get<jobs::ReportedStepEnd>(report.what).uses.empty());
  report = report_with([](v1::Report& to) { to.mutable_step_finished()->set_uses("file.list@1"); });
  CHECK(std::get<jobs::ReportedStepEnd>(report.what).uses == "file.list@1");
  report = report_with([](v1::Report& to) { to.mutable_step_log()->set_text("a line"); });
  CHECK(std::get<jobs::ReportedLog>(report.what).text == "a line");
  report = report_with([](v1::Report& to) { to.mutable_job_finished()->set_failed_step("b"); });
  CHECK(std::get<jobs::ReportedJobEnd>(report.what).failed_step == "b");
  report = report_with([](v1::Report& to) { to.mutable_agent_event()->set_rule("sql.verbs"); });
  CHECK(std::get<jobs::ReportedAgentEvent>(report.what).rule == "sql.verbs");
}

TEST_CASE("what is no message of the jobs channel is refused", "[gateway]") {
  v1::ToRelay bare_report;
  bare_report.mutable_report()->set_job_id("job_1");
  v1::ToAgent own;  // Dispatch is field 1, as Holding is: its string cannot be a Lease
  own.mutable_dispatch()->set_job_id("job_1");
  struct Case {
    std::string what;
    std::string bytes;
    std::string fragment;
  };
  const std::vector<Case> cases = {
      {"nothing", "", "without a body"},
      {"text", "GET / HTTP/1.1\r\n\r\n", "not a ToRelay"},
      {"zero bytes", std::string(64, '\0'), "not a ToRelay"},
      {"a length over the end", "\x22\x7f\x01", "not a ToRelay"},
      {"an endless varint", "\x10" + std::string(11, '\xff'), "not a ToRelay"},
      {"the relay's own message", own.SerializeAsString(), "not a ToRelay"},
      {"a body of the future", "\xfa\x01\x02hi", "without a body"},
      {"a report without a body", bare_report.SerializeAsString(), "a report without a body"},
      {"a report of the future", std::string("\x22\x05\xfa\x01\x02hi", 7), "a report without a body"},
      {"broken UTF-8", "\x1a\x04\x0a\x02\xc3\x28", "not a ToRelay"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto outcome = decode(as_bytes(one.bytes));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Errc::invalid);
    CHECK(outcome.error().message.find(one.fragment) != std::string::npos);
  }
}

TEST_CASE("unknown fields beside a known body are passed over", "[gateway]") {
  v1::ToRelay message;
  message.mutable_ready()->set_slots(4);
  const auto got = decode(as_bytes(message.SerializeAsString() + "\xfa\x01\x02hi"));
  REQUIRE(got);
  CHECK(std::get<jobs::Ready>(*got).slots == 4);
}

TEST_CASE("a message cut at any byte is refused or is another message, never a crash", "[gateway]") {
  v1::ToRelay message;
  auto& report = *message.mutable_report();
  report.set_job_id("job_01");
  report.mutable_step_finished()->set_output_json("{\"n\":1}");
  const auto whole = message.SerializeAsString();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("cut after byte " << cut);
    CHECK_FALSE(decode(as_bytes(whole).first(cut)));
  }
}
