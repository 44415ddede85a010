#include "relay/audit/audit.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"

using namespace sallyport;
using boost::asio::awaitable;

namespace {

class FixedClock final : public Clock {
 public:
  SteadyTime steady() const override { return {}; }
  WallTime wall() const override { return from_unix_ms(1'700'000'000'123); }
};

// Keeps what was appended; refuses when told to.
class NotedLog final : public store::AuditLog {
 public:
  awaitable<Result<store::AuditRow>> append(OrgId org, store::AuditEvent event) override {
    if (refusal) co_return std::unexpected(*refusal);
    events.emplace_back(org, event);
    co_return store::AuditRow{.seq = events.size(), .event = event, .previous_hash = {}, .hash = {}};
  }
  awaitable<Result<store::Page<store::AuditRow>>> list(OrgId, store::AuditFilter, store::PageQuery) override {
    co_return fail(Errc::internal, "not used here");
  }
  awaitable<Result<store::AuditVerdict>> verify(OrgId) override { co_return fail(Errc::internal, "not used here"); }

  std::vector<std::pair<OrgId, store::AuditEvent>> events;
  std::optional<Error> refusal;
};

AuditRecord minimal(std::string action) { return {.actor = "system", .action = std::move(action), .target = ""}; }

}  // namespace

ASYNC_TEST_CASE("a record becomes one canonical row", "[audit]") {
  NotedLog log;
  FixedClock clock;
  Audit audit(log, clock);
  AuditRecord record{.actor = "user:usr_1",
                     .action = "agent.enrol",
                     .target = "agent:agt_1",
                     .outcome = AuditOutcome::refused,
                     .detail = {{"reason", "expired"}, {"count", 2}},
                     .request_id = "req-1"};
  auto recorded = co_await audit.record(OrgId("org_a"), record);
  REQUIRE(recorded);
  REQUIRE(log.events.size() == 1);
  CHECK(log.events[0].first == OrgId("org_a"));
  const store::AuditEvent& event = log.events[0].second;
  CHECK(is_ulid(event.id.value, "evt_"));
  CHECK(event.at == clock.wall());
  REQUIRE(event.texts.size() == 1);
  CHECK(event.json == R"({"action":"agent.enrol","actor":"user:usr_1","apart":{"reason":")" +
                          store::commitment_of(event.texts[0]) + R"("},"detail":{"count":2},)" +
                          R"("outcome":"refused","request_id":"req-1","target":"agent:agt_1"})");
  CHECK(store::whole_json(event) ==
        R"({"action":"agent.enrol","actor":"user:usr_1","detail":{"count":2,"reason":"expired"},)"
        R"("outcome":"refused","request_id":"req-1","target":"agent:agt_1"})");
}

ASYNC_TEST_CASE("texts lie beside the row, and where a person called from is theirs", "[audit][erasure]") {
  NotedLog log;
  FixedClock clock;
  Audit audit(log, clock);
  AuditRecord record = minimal("agent.rename");
  record.detail = {{"from", "192.0.2.7"}, {"user", "usr_1"}, {"name", "Ada's agent"}, {"role", "owner"}, {"unsaid", 3}};
  REQUIRE(co_await audit.record(OrgId("org_a"), record));
  REQUIRE(co_await audit.record(OrgId("org_a"), record));
  const auto& event = log.events.at(0).second;
  for (const char* text : {"192.0.2.7", "Ada"}) CHECK(event.json.find(text) == std::string::npos);
  REQUIRE(event.texts.size() == 2);
  CHECK(event.texts[0].member == "from");
  CHECK(event.texts[0].person == UserId("usr_1"));
  CHECK(event.texts[0].json == R"("192.0.2.7")");
  CHECK(event.texts[1].member == "name");
  CHECK(event.texts[1].person.empty());
  // The same text again has another commitment: nobody can try which address it was.
  CHECK(store::commitment_of(event.texts[0]) != store::commitment_of(log.events.at(1).second.texts[0]));
}

ASYNC_TEST_CASE("secret and masked details are not written", "[audit]") {
  NotedLog log;
  FixedClock clock;
  Audit audit(log, clock);
  AuditRecord record = minimal("token.create");
  record.detail = {{"token", Value("canary-1").with_label(Label::secret)},
                   {"nested", ValueMap{{"row", Value("canary-2").with_label(Label::masked)}}}};
  auto recorded = co_await audit.record(OrgId("org_a"), record);
  REQUIRE(recorded);
  const std::string json = store::whole_json(log.events.at(0).second);
  CHECK(json.find("canary") == std::string::npos);
  CHECK(json.find("***") != std::string::npos);
}

ASYNC_TEST_CASE("actions are noun.verb, events are small", "[audit]") {
  NotedLog log;
  FixedClock clock;
  Audit audit(log, clock);
  for (const char* action :
       {"", "agent", "agent.", ".enrol", "agent.enrol.twice", "Agent.enrol", "agent enrol", "a.b1"}) {
    INFO(action);
    auto refused = co_await audit.record(OrgId("org_a"), minimal(action));
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
  }
  AuditRecord large = minimal("job.start");
  large.detail = {{"text", std::string(17'000, 'x')}};
  auto refused = co_await audit.record(OrgId("org_a"), large);
  REQUIRE(!refused);
  CHECK(refused.error().message.find("16 KiB") != std::string::npos);
  CHECK(log.events.empty());
  auto fine = co_await audit.record(OrgId("org_a"), minimal("enrolment_token.create"));
  CHECK(fine);
}

ASYNC_TEST_CASE("a row that cannot be written is the caller's failure", "[audit]") {
  NotedLog log;
  FixedClock clock;
  log.refusal = Error{Errc::exhausted, "disk full"};
  Audit audit(log, clock);
  auto recorded = co_await audit.record(OrgId("org_a"), minimal("job.start"));
  REQUIRE(!recorded);
  CHECK(recorded.error() == Error{Errc::exhausted, "audit event job.start: disk full"});
}
