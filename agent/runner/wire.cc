#include "agent/runner/wire.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/base/ids.h"
#include "shared/base/json.h"
#include "shared/base/utf8.h"
#include "shared/crypto/digest.h"
#include "shared/link/message_bytes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sallyport::runner::wire {
namespace {

constexpr int kMaxListed = 10'000;
constexpr std::size_t kMaxAssembled = 16u << 20;
constexpr std::size_t kMaxWord = 200;
constexpr std::size_t kMaxText = 4u << 10;
constexpr std::size_t kMaxLogText = 72u << 10;
constexpr std::size_t kMaxJson = 320u << 10;
constexpr std::string_view kTooManySteps = "it names more than 10000 completed steps, which cannot be taken over";
constexpr std::string_view kTwoRecipes = "it has a recipe to run and one to run without effects";
constexpr auto kMaxLease = std::chrono::hours(24);

bool is_job(std::string_view id) { return is_ulid(id, "job_"); }
bool is_recipe(std::string_view id) { return is_ulid(id, "rcp_"); }

std::unexpected<Error> broken(std::string_view what) {
  return fail(Errc::invalid, "the relay sent a message of the jobs channel with " + std::string(what));
}

Lease lease_of(const std::string& job, std::uint64_t epoch, std::uint32_t ms) {
  return {JobId(job), epoch, std::min<std::chrono::milliseconds>(std::chrono::milliseconds(ms), kMaxLease)};
}

journal::Payload payload_of(bool none) { return none ? journal::Payload::none : journal::Payload::of_recipe; }

Result<ToAgent> read(const v1::Dispatch& from) {
  if (!is_job(from.job_id()) || !is_recipe(from.recipe_id())) return broken("an id that is none");
  if (from.lease_epoch() == 0) return broken("a dispatch without an epoch");
  Dispatch to;
  to.lease = lease_of(from.job_id(), from.lease_epoch(), from.lease_ms());
  to.holding = from.holding();
  to.recipe = RecipeId(from.recipe_id());
  to.recipe_version = from.recipe_version();
  to.mode = from.dry_run_json().empty() ? execution::Mode::real : execution::Mode::dry_run;
  to.recipe_json = to.mode == execution::Mode::real ? from.recipe_json() : from.dry_run_json();
  to.trigger_json = from.trigger_json();
  to.event_key = from.event_key();
  to.run_number = from.run_number();
  to.held_before = from.held_before();
  to.payload = payload_of(from.no_payload());
  if (!from.dry_run_json().empty() && !from.recipe_json().empty()) {
    to.problem = kTwoRecipes;
    return to;
  }
  if (from.done_size() > kMaxListed) {
    to.problem = kTooManySteps;
    return to;
  }
  for (const auto& step : from.done()) {
    if (step.path().size() > kMaxWord || step.status().size() > kMaxWord)
      return broken("a step's name that is too long");
    to.done.push_back({step.path(), step.attempt(), step.status(), step.output_json(), step.plan()});
  }
  return to;
}

Result<ToAgent> read(const v1::CancelJob& from) {
  if (!is_job(from.job_id())) return broken("an id that is none");
  return CancelJob{JobId(from.job_id()), from.lease_epoch(), from.reason().substr(0, kMaxWord)};
}

Result<ToAgent> read(const v1::Leases& from) {
  if (from.renewed_size() > kMaxListed || from.fenced_size() > kMaxListed) return broken("too many leases");
  Leases to;
  to.holding = from.holding();
  for (const auto& lease : from.renewed())
    to.renewed.push_back(lease_of(lease.job_id(), lease.lease_epoch(), lease.lease_ms()));
  for (const auto& lease : from.fenced()) to.fenced.push_back(lease_of(lease.job_id(), lease.lease_epoch(), 0));
  const auto good = [](const Lease& lease) { return is_job(lease.job.value); };
  if (!std::ranges::all_of(to.renewed, good) || !std::ranges::all_of(to.fenced, good))
    return broken("an id that is none");
  return to;
}

Result<ToAgent> read(const v1::Assignments& from) {
  if (from.recipes_size() > kMaxListed) return broken("too many recipes");
  Assignments to;
  to.revision = from.revision();
  for (const auto& one : from.recipes()) {
    if (!is_recipe(one.recipe_id())) return broken("an id that is none");
    to.recipes.push_back(
        {RecipeId(one.recipe_id()), one.recipe_version(), one.recipe_json(), payload_of(one.no_payload())});
  }
  return to;
}

// True: the part goes on with what has begun, and is in it now.
bool join(Dispatch& begun, Dispatch& part) {
  if (part.lease.job != begun.lease.job || part.lease.epoch != begun.lease.epoch) return false;
  if (begun.problem.empty()) begun.problem = part.problem;
  if (begun.done.size() + part.done.size() > kMaxListed) begun.problem = kTooManySteps;
  if (begun.problem.empty()) std::ranges::move(part.done, std::back_inserter(begun.done));
  return true;
}
bool join(Assignments& begun, Assignments& part) {
  if (part.revision != begun.revision) return false;
  std::ranges::move(part.recipes, std::back_inserter(begun.recipes));
  return begun.recipes.size() <= kMaxListed;
}
template <class Begun, class Part>
bool join(Begun&, Part&) {
  return false;
}

Result<ToAgent> complete(ToAgent message) {
  if (auto* assignments = std::get_if<Assignments>(&message)) {
    std::ranges::sort(assignments->recipes, {}, &journal::Assignment::recipe);
    if (std::ranges::adjacent_find(assignments->recipes, {}, &journal::Assignment::recipe) !=
        assignments->recipes.end()) {
      return broken("a recipe assigned twice");
    }
  }
  return message;
}

Result<ToAgent> read(const v1::ToAgent& from) {
  switch (from.body_case()) {
    case v1::ToAgent::kDispatch: return read(from.dispatch());
    case v1::ToAgent::kCancel: return read(from.cancel());
    case v1::ToAgent::kLeases: return read(from.leases());
    case v1::ToAgent::kAcked: return ReportsAcked{from.acked().seq()};
    case v1::ToAgent::kAssignments: return read(from.assignments());
    case v1::ToAgent::BODY_NOT_SET: break;
  }
  return broken("a kind this agent does not know");
}

// What enters a report is valid UTF-8 of bounded length: one bad text would stop every report behind it.
std::string plain(const std::string& text, std::size_t limit = kMaxText) {
  return shortened(with_valid_utf8(text), limit);
}

std::string json(const std::string& text) {
  if (text.size() <= kMaxJson) return with_valid_utf8(text);
  return to_json(Value(ValueMap{{"$truncated", Value(static_cast<std::int64_t>(text.size()))}}));
}

// Two keys must not become one by being made presentable.
std::string key(const std::string& text) {
  if (text.size() <= kMaxText && is_valid_utf8(text)) return text;
  return "sha256:" + hex(crypto::sha256(text));
}

v1::Report lost(const journal::OutboxRow& row) {
  v1::Report report;
  auto* event = report.mutable_agent_event();
  event->set_kind("report.lost");
  event->set_message("report " + std::to_string(row.job_seq) +
                     " cannot be read in the agent's outbox and is missing from the history");
  return report;
}

struct Filler {
  v1::Report& to;

  void operator()(const report::JobStarted& from) const {
    auto* body = to.mutable_job_started();
    body->set_recipe_id(from.recipe.value);
    body->set_recipe_version(from.recipe_version);
    body->set_trigger_json(json(from.trigger_json));
    body->set_event_key(key(from.event_key));
    body->set_trigger_kind(plain(from.trigger_kind));
  }
  void operator()(const report::StepStarted& from) const {
    auto* body = to.mutable_step_started();
    body->set_path(plain(from.path));
    body->set_attempt(from.attempt);
    body->set_uses(plain(from.uses));
    body->set_input_json(json(from.input_json));
  }
  void operator()(const report::StepFinished& from) const {
    auto* body = to.mutable_step_finished();
    body->set_path(plain(from.path));
    body->set_attempt(from.attempt);
    body->set_status(plain(from.status));
    body->set_output_json(json(from.output_json));
    body->set_error_class(plain(from.error_class));
    body->set_message(plain(from.message));
    body->set_will_retry(from.retry_at_ms.has_value());
    body->set_retry_at_ms(from.retry_at_ms.value_or(0));
    body->set_uses(plain(from.uses));
    body->set_plan(std::string(to_string(from.plan)));
  }
  void operator()(const report::StepLog& from) const {
    auto* body = to.mutable_step_log();
    body->set_path(plain(from.path));
    body->set_level(plain(from.level));
    body->set_text(plain(from.text, kMaxLogText));
  }
  void operator()(const report::JobFinished& from) const {
    auto* body = to.mutable_job_finished();
    body->set_status(plain(from.status));
    body->set_error_class(plain(from.error_class));
    body->set_message(plain(from.message));
    body->set_failed_step(plain(from.failed_step));
  }
  void operator()(const report::AgentEvent& from) const {
    auto* body = to.mutable_agent_event();
    body->set_kind(plain(from.kind));
    body->set_rule(plain(from.rule));
    body->set_message(plain(from.message));
  }
};

}  // namespace

Result<std::optional<ToAgent>> Assembler::take(std::span<const std::byte> message) {
  v1::ToAgent parsed;
  if (!link::parse(parsed, message)) return broken("bytes that do not parse");
  SP_TRY(auto part, read(parsed));
  if (auto begun = std::exchange(begun_, std::nullopt)) {
    const auto joined = [](auto& whole, auto& one) { return join(whole, one); };
    if (!std::visit(joined, *begun, part)) return broken("a part that does not belong to the part before it");
    part = *std::move(begun);
  }
  bytes_ += message.size();
  if (bytes_ > kMaxAssembled) return broken("parts that are too much together");
  if (parsed.more()) {
    begun_ = std::move(part);
    return std::nullopt;
  }
  bytes_ = 0;
  return complete(std::move(part));
}

std::string encode(const Answer& answer) {
  v1::ToRelay message;
  auto* body = message.mutable_answer();
  body->set_job_id(answer.job.value);
  body->set_lease_epoch(answer.epoch);
  body->set_accepted(answer.accepted);
  body->set_error_class(answer.error_class);
  body->set_message(plain(answer.message));
  return message.SerializeAsString();
}

std::string encode_holding(std::uint64_t number, journal::JournalMark journal,
                           const std::vector<journal::HeldJob>& jobs, std::uint64_t assignments_revision) {
  v1::ToRelay message;
  auto* body = message.mutable_holding();
  body->set_number(number);
  body->set_assignments_revision(assignments_revision);
  body->set_journal(journal.id);
  body->set_journal_seq(journal.last_seq);
  for (const auto& job : jobs) {
    auto* lease = body->add_jobs();
    lease->set_job_id(job.id.value);
    lease->set_lease_epoch(job.epoch);
  }
  return message.SerializeAsString();
}

std::string encode_ready(std::uint32_t slots) {
  v1::ToRelay message;
  message.mutable_ready()->set_slots(slots);
  return message.SerializeAsString();
}

std::string encode_health(const std::vector<ConnectionUse>& uses) {
  v1::ToRelay message;
  auto* body = message.mutable_health();
  for (const auto& use : uses) {
    auto* connection = body->add_connections();
    connection->set_name(plain(use.connection));
    connection->set_health(std::string(health_word(use)));
    connection->set_error_class(use.error_class);
    connection->set_at_ms(unix_ms(use.at));
  }
  return message.SerializeAsString();
}

std::string encode_body(const report::Body& body, WallTime at) {
  v1::Report report;
  report.set_at_ms(unix_ms(at));
  std::visit(Filler{report}, body);
  return report.SerializeAsString();
}

std::string encode(const journal::OutboxRow& row) {
  v1::ToRelay message;
  auto* report = message.mutable_report();
  const bool fits = row.report && row.report->size() <= kMaxReport;
  const bool whole =
      fits && link::parse(*report, as_bytes(*row.report)) && report->body_case() != v1::Report::BODY_NOT_SET;
  if (!whole) *report = lost(row);
  report->set_seq(row.seq);
  report->set_job_id(row.job.value);
  report->set_lease_epoch(row.epoch);
  report->set_job_seq(row.job_seq);
  return message.SerializeAsString();
}

}  // namespace sallyport::runner::wire
