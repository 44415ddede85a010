#include "relay/api/shapes.h"

#include "relay/api/replies.h"
#include "relay/api/retention_shapes.h"
#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

namespace sallyport::api {
namespace {

Value names_of(domain::ScopeSet scopes) {
  ValueList names;
  for (const auto scope : scopes.list()) names.emplace_back(to_string(scope));
  return Value(std::move(names));
}

boost::asio::awaitable<Value> error_shape(PayloadReader& reader, const store::Job& job) {
  const auto& error = job.error;
  if (error.error_class.empty() && !error.sealed_message) co_return Value();
  auto message = co_await reader.read_message(jobs::error_identity(job.org, job.id), error.sealed_message);
  co_return Object()
      .put("class", error.error_class)
      .put("message", std::move(message))
      .put("step", error.failed_step)
      .done();
}

Value shape(const std::optional<store::TriggerHolder>& holder) {
  if (!holder) return {};
  return Object().put("agent", holder->agent).put("name", holder->name).done();
}

}  // namespace

std::string_view to_string(store::AgentStatus status) {
  return status == store::AgentStatus::active ? "active" : "revoked";
}

std::string_view to_string(store::ConnectionHealth health) {
  switch (health) {
    case store::ConnectionHealth::healthy: return "healthy";
    case store::ConnectionHealth::failing: return "failing";
    case store::ConnectionHealth::unknown: break;
  }
  return "unknown";
}

std::string_view to_string(store::EnrolmentState state) {
  switch (state) {
    case store::EnrolmentState::usable: return "usable";
    case store::EnrolmentState::used_up: return "used_up";
    case store::EnrolmentState::expired: return "expired";
    case store::EnrolmentState::revoked: break;
  }
  return "revoked";
}

Value shape(const store::Organisation& organisation) {
  return Object()
      .put("id", organisation.id)
      .put("name", organisation.name)
      .put("created_at", organisation.created_at)
      .done();
}

Value shape(const store::User& user) {
  return Object()
      .put("id", user.id)
      .put("name", user.name)
      .put("email", user.email)
      .put("role", to_string(user.role))
      .put("platform_admin", Value(user.platform == domain::PlatformRights::admin))
      .put("created_at", user.created_at)
      .done();
}

Value shape(const store::ApiToken& token) {
  return Object()
      .put("id", token.id)
      .put("user", token.user)
      .put("name", token.name)
      .put("scopes", names_of(token.scopes))
      .put("created_at", token.created_at)
      .put("expires_at", token.expires_at)
      .put("revoked_at", token.revoked_at)
      .put("last_used_at", token.last_used_at)
      .done();
}

Value shape(const store::Group& group) {
  return Object()
      .put("id", group.id)
      .put("name", group.name)
      .put("created_at", group.created_at)
      .put("queued", group.queued)
      .put("oldest_queued_at", group.oldest_queued_at)
      .put("removed_at", group.removed_at)
      .done();
}

boost::asio::awaitable<Value> connection_shape(PayloadReader& reader, store::Connection connection) {
  auto identity = jobs::connection_identity(connection.org, connection.agent, connection.name);
  auto detail = co_await reader.read_message(std::move(identity), std::move(connection.sealed_detail));
  co_return Object()
      .put("agent", connection.agent)
      .put("name", connection.name)
      .put("kind", connection.kind)
      .put("health", to_string(connection.health))
      .put("detail", std::move(detail))
      .put("checked_at", connection.checked_at)
      .done();
}

Value shape(const store::EnrolmentToken& token, WallTime now) {
  return Object()
      .put("id", token.id)
      .put("group", token.group)
      .put("agent", token.agent)
      .put("state", to_string(state_at(token, now)))
      .put("max_uses", token.max_uses)
      .put("uses", token.uses)
      .put("created_by", token.created_by)
      .put("created_at", token.created_at)
      .put("expires_at", token.expires_at)
      .put("revoked_at", token.revoked_at)
      .done();
}

Value shape(const store::Recipe& recipe) {
  return Object()
      .put("id", recipe.id)
      .put("name", recipe.name)
      .put("latest_version", recipe.latest_version)
      .put("active_version", recipe.active_version)
      .put("created_at", recipe.created_at)
      .put("removed_at", recipe.removed_at)
      .put("watched_by", shape(recipe.watched_by))
      .done();
}

Value shape(const store::RecipeVersionSummary& version) {
  return Object()
      .put("recipe", version.recipe)
      .put("version", version.version)
      .put("run_on", version.run_on)
      .put("trigger", version.trigger)
      .put("sha256", hex(version.sha256))
      .put("created_by", version.created_by)
      .put("created_at", version.created_at)
      .done();
}

boost::asio::awaitable<Value> job_shape(Services& services, PayloadReader& reader, store::Job job) {
  const auto kept = co_await services.retention.in_effect(job.org, domain::as_asked(job.retention));
  const auto now_kept = kept.value_or(job.retention);
  auto error = co_await error_shape(reader, job);
  co_return Object()
      .put("id", job.id)
      .put("recipe", job.recipe)
      .put("recipe_name", job.recipe_name)
      .put("version", job.version)
      .put("group", job.group)
      .put("agent", job.agent)
      .put("state", to_string(job.state))
      .put("trigger", job.trigger_kind)
      .put("dry_run", Value(job.mode == store::Mode::dry_run))
      .put("event_key", job.payload == store::Payload::kept ? job.event_key : "")
      .put("payload", payload_word(job, now_kept, services.clock.wall()))
      .put("priority", Value(static_cast<std::int64_t>(job.priority)))
      .put("run_number", job.run_number)
      .put("rerun_of", job.rerun_of)
      .put("cancel_requested_at", job.cancel_requested_at)
      .put("created_at", job.created_at)
      .put("dispatched_at", job.dispatched_at)
      .put("started_at", job.started_at)
      .put("finished_at", job.finished_at)
      .put("retention", job_retention_shape(job, now_kept, services.clock.wall()))
      .put("error", std::move(error))
      .done();
}

Value shape(const store::AuditRow& row) {
  const auto event = parse_json(store::whole_json(row.event));
  return Object()
      .put("seq", row.seq)
      .put("id", row.event.id)
      .put("at", row.event.at)
      .put("event", event ? *event : Value())
      .put("previous_hash", hex(row.previous_hash))
      .put("hash", hex(row.hash))
      .done();
}

Value shape(const store::AuditVerdict& verdict) {
  return Object()
      .put("intact", Value(!verdict.bad_seq.has_value()))
      .put("rows", verdict.rows)
      .put("first_seq", verdict.first_seq)
      .put("erased_texts", verdict.erased)
      .put("bad_seq", verdict.bad_seq)
      .put("reason", verdict.reason)
      .done();
}

}  // namespace sallyport::api
