#include "relay/domain/fields.h"

#include <algorithm>
#include <array>
#include <string>

namespace sallyport::domain {
namespace {

using enum FieldClass;
using enum About;
using enum Kept;
using enum Retention;

// A new column: one line here, in its table; then docs/data-inventory.md anew (tests/README.md says how).
constexpr auto kFields = std::to_array<Field>({
    {"organisations", "id", public_, organisation, clear, standing},
    {"organisations", "name", sensitive, organisation, clear, standing},
    {"organisations", "created_at", public_, organisation, clear, standing},

    {"users", "org", public_, person, clear, standing},
    {"users", "id", sensitive, person, clear, standing},
    {"users", "name", sensitive, person, clear, standing},
    {"users", "email", sensitive, person, clear, standing},
    {"users", "role", sensitive, person, clear, standing},
    {"users", "platform", sensitive, person, clear, standing},
    {"users", "created_at", public_, person, clear, standing},

    {"api_tokens", "id", public_, person, clear, standing},
    {"api_tokens", "org", public_, person, clear, standing},
    {"api_tokens", "user", sensitive, person, clear, standing},
    {"api_tokens", "name", sensitive, person, clear, standing},
    {"api_tokens", "secret_hash", secret, key_material, hashed, standing},
    {"api_tokens", "scopes", public_, person, clear, standing},
    {"api_tokens", "created_at", public_, person, clear, standing},
    {"api_tokens", "expires_at", public_, person, clear, standing},
    {"api_tokens", "revoked_at", public_, person, clear, standing},
    {"api_tokens", "last_used_at", sensitive, person, clear, standing},

    {"agent_groups", "org", public_, agent, clear, standing},
    {"agent_groups", "id", public_, agent, clear, standing},
    {"agent_groups", "name", sensitive, agent, clear, standing},
    {"agent_groups", "created_at", public_, agent, clear, standing},
    {"agent_groups", "removed_at", public_, agent, clear, standing},

    {"agents", "org", public_, agent, clear, standing},
    {"agents", "id", public_, agent, clear, standing},
    {"agents", "group_id", public_, agent, clear, standing},
    {"agents", "name", sensitive, agent, clear, standing},
    {"agents", "hostname", sensitive, agent, clear, standing},
    {"agents", "software", public_, agent, clear, standing},
    {"agents", "status", public_, agent, clear, standing},
    {"agents", "generation", public_, agent, clear, standing},
    {"agents", "enrolled_at", public_, agent, clear, standing},
    {"agents", "last_seen_at", public_, agent, clear, standing},
    {"agents", "journal_id", public_, agent, clear, standing},
    {"agents", "journal_seq", public_, agent, clear, standing},

    {"certificates", "org", public_, agent, clear, standing},
    {"certificates", "serial", public_, agent, clear, standing},
    {"certificates", "agent", public_, agent, clear, standing},
    {"certificates", "generation", public_, agent, clear, standing},
    {"certificates", "issued_at", public_, agent, clear, standing},
    {"certificates", "not_after", public_, agent, clear, standing},
    {"certificates", "revoked_at", public_, agent, clear, standing},
    {"certificates", "root_pin", public_, agent, clear, standing},

    {"issuing_cas", "org", public_, organisation, clear, standing},
    {"issuing_cas", "certificate_der", public_, organisation, clear, standing},
    {"issuing_cas", "sealed_private_key", secret, key_material, sealed, standing, "issuing_cas.private_key"},
    {"issuing_cas", "created_at", public_, organisation, clear, standing},
    {"issuing_cas", "not_after", public_, organisation, clear, standing},

    {"enrolment_tokens", "id", public_, agent, clear, standing},
    {"enrolment_tokens", "org", public_, agent, clear, standing},
    {"enrolment_tokens", "group_id", public_, agent, clear, standing},
    {"enrolment_tokens", "sealed_secret", secret, key_material, sealed, standing, "enrolment_tokens.secret"},
    {"enrolment_tokens", "max_uses", public_, agent, clear, standing},
    {"enrolment_tokens", "uses", public_, agent, clear, standing},
    {"enrolment_tokens", "created_by", sensitive, person, clear, standing},
    {"enrolment_tokens", "created_at", public_, agent, clear, standing},
    {"enrolment_tokens", "expires_at", public_, agent, clear, standing},
    {"enrolment_tokens", "revoked_at", public_, agent, clear, standing},
    {"enrolment_tokens", "agent", public_, agent, clear, standing},

    {"connections", "org", public_, agent, clear, standing},
    {"connections", "agent", public_, agent, clear, standing},
    {"connections", "name", sensitive, agent, clear, standing},
    {"connections", "kind", public_, agent, clear, standing},
    {"connections", "health", public_, agent, clear, standing},
    {"connections", "checked_at", public_, agent, clear, standing},
    {"connections", "sealed_detail", secret, agent, sealed, standing, "connections.detail"},

    {"sealing_keys", "org", public_, agent, clear, standing},
    {"sealing_keys", "agent", public_, agent, clear, standing},
    {"sealing_keys", "generation", public_, agent, clear, standing},
    {"sealing_keys", "statement", public_, agent, clear, standing},
    {"sealing_keys", "said_at", public_, agent, clear, standing},

    {"system_keys", "org", public_, organisation, clear, standing},
    {"system_keys", "name", sensitive, organisation, clear, standing},
    {"system_keys", "group_id", public_, organisation, clear, standing},
    {"system_keys", "version", public_, organisation, clear, standing},
    {"system_keys", "value_names", sensitive, organisation, clear, standing},
    {"system_keys", "set_by", sensitive, person, clear, standing},
    {"system_keys", "set_at", public_, organisation, clear, standing},

    {"system_key_copies", "org", public_, agent, clear, standing},
    {"system_key_copies", "name", sensitive, agent, clear, standing},
    {"system_key_copies", "agent", public_, agent, clear, standing},
    {"system_key_copies", "generation", public_, agent, clear, standing},
    {"system_key_copies", "sealed_copy", secret, key_material, sealed, standing, "system_keys.copy"},
    {"system_key_copies", "held", public_, agent, clear, standing},

    {"recipes", "org", public_, recipe, clear, standing},
    {"recipes", "id", public_, recipe, clear, standing},
    {"recipes", "name", sensitive, recipe, clear, standing},
    {"recipes", "latest_version", public_, recipe, clear, standing},
    {"recipes", "active_version", public_, recipe, clear, standing},
    {"recipes", "created_at", public_, recipe, clear, standing},
    {"recipes", "removed_at", public_, recipe, clear, standing},

    {"recipe_versions", "org", public_, recipe, clear, standing},
    {"recipe_versions", "recipe", public_, recipe, clear, standing},
    {"recipe_versions", "version", public_, recipe, clear, standing},
    {"recipe_versions", "run_on", sensitive, recipe, clear, standing},
    {"recipe_versions", "trigger_kind", public_, recipe, clear, standing},
    {"recipe_versions", "sha256", public_, recipe, clear, standing},
    {"recipe_versions", "created_by", sensitive, person, clear, standing},
    {"recipe_versions", "created_at", public_, recipe, clear, standing},
    {"recipe_versions", "source_yaml", sensitive, recipe, clear, standing},
    {"recipe_versions", "canonical_json", sensitive, recipe, clear, standing},

    {"assignments", "org", public_, recipe, clear, standing},
    {"assignments", "recipe", public_, recipe, clear, standing},
    {"assignments", "version", public_, recipe, clear, standing},
    {"assignments", "agent", public_, recipe, clear, standing},

    {"past_assignments", "org", public_, recipe, clear, standing},
    {"past_assignments", "recipe", public_, recipe, clear, standing},
    {"past_assignments", "agent", public_, recipe, clear, standing},

    {"assignment_revisions", "org", public_, agent, clear, standing},
    {"assignment_revisions", "agent", public_, agent, clear, standing},
    {"assignment_revisions", "revision", public_, agent, clear, standing},

    {"jobs", "org", public_, job, clear, logs},
    {"jobs", "id", public_, job, clear, logs},
    {"jobs", "recipe", public_, job, clear, logs},
    {"jobs", "version", public_, job, clear, logs},
    {"jobs", "group_id", public_, job, clear, logs},
    {"jobs", "agent", public_, job, clear, logs},
    {"jobs", "state", public_, job, clear, logs},
    {"jobs", "trigger_kind", public_, job, clear, logs},
    {"jobs", "event_key", sensitive, job_payload, clear, logs},
    {"jobs", "priority", public_, job, clear, logs},
    {"jobs", "lease_epoch", public_, job, clear, logs},
    {"jobs", "lease_until", public_, job, clear, logs},
    {"jobs", "run_number", public_, job, clear, logs},
    {"jobs", "held_before", public_, job, clear, logs},
    {"jobs", "payload_hours", public_, job, clear, logs},
    {"jobs", "logs_hours", public_, job, clear, logs},
    {"jobs", "payload", public_, job, clear, logs},
    {"jobs", "mode", public_, job, clear, logs},
    {"jobs", "archive_hours", public_, job, clear, archive},
    {"jobs", "rerun_of", public_, job, clear, logs},
    {"jobs", "concurrency_key", sensitive, job_payload, clear, logs},
    {"jobs", "concurrency_limit", public_, job, clear, logs},
    {"jobs", "cancel_requested_at", public_, job, clear, logs},
    {"jobs", "created_at", public_, job, clear, logs},
    {"jobs", "dispatched_at", public_, job, clear, logs},
    {"jobs", "started_at", public_, job, clear, logs},
    {"jobs", "finished_at", public_, job, clear, logs},
    {"jobs", "error_class", public_, job, clear, logs},
    {"jobs", "failed_step", sensitive, job, clear, logs},
    {"jobs", "sealed_error_message", secret, job_payload, sealed, logs, "jobs.error_message"},

    {"queue_lengths", "org", public_, operational, clear, transient},
    {"queue_lengths", "group_id", public_, operational, clear, transient},
    {"queue_lengths", "queued", public_, operational, clear, transient},

    {"job_lines", "org", public_, operational, clear, transient},
    {"job_lines", "recipe", public_, operational, clear, transient},
    {"job_lines", "concurrency_key", sensitive, job_payload, clear, transient},
    {"job_lines", "group_id", public_, operational, clear, transient},
    {"job_lines", "concurrency_limit", public_, operational, clear, transient},
    {"job_lines", "head_priority", public_, operational, clear, transient},
    {"job_lines", "head", public_, operational, clear, transient},
    {"job_lines", "room", public_, operational, clear, transient},

    {"job_triggers", "org", public_, job, clear, payload},
    {"job_triggers", "job", public_, job, clear, payload},
    {"job_triggers", "sealed_trigger", secret, job_payload, sealed, payload, "jobs.trigger"},

    {"job_keys", "org", public_, job, clear, logs},
    {"job_keys", "kind", public_, job, clear, logs},
    {"job_keys", "hours", public_, job, clear, logs},
    {"job_keys", "hour", public_, job, clear, logs},
    {"job_keys", "job", public_, job, clear, logs},
    {"job_keys", "wrapped", secret, key_material, wrapped, logs},
    {"bare_jobs", "finished_at", public_, job, clear, logs},
    {"bare_jobs", "org", public_, job, clear, logs},
    {"bare_jobs", "job", public_, job, clear, logs},

    {"job_events", "org", public_, job, clear, logs},
    {"job_events", "recipe", public_, job, clear, logs},
    {"job_events", "event_key", sensitive, job_payload, clear, logs},
    {"job_events", "job", public_, job, clear, logs},
    {"job_events", "created_at", public_, job, clear, logs},

    {"steps", "org", public_, job, clear, logs},
    {"steps", "job", public_, job, clear, logs},
    {"steps", "path", sensitive, job, clear, logs},
    {"steps", "attempt", public_, job, clear, logs},
    {"steps", "first_seq", public_, job, clear, logs},
    {"steps", "status", public_, job, clear, logs},
    {"steps", "uses", public_, job, clear, logs},
    {"steps", "started_at", public_, job, clear, logs},
    {"steps", "finished_at", public_, job, clear, logs},
    {"steps", "retry_at", public_, job, clear, logs},
    {"steps", "error_class", public_, job, clear, logs},
    {"steps", "plan", public_, job, clear, logs},
    {"steps", "sealed_input", secret, job_payload, sealed, payload, "steps.input"},
    {"steps", "sealed_output", secret, job_payload, sealed, payload, "steps.output"},
    {"steps", "sealed_message", secret, job_payload, sealed, logs, "steps.message"},

    {"history", "org", public_, job, clear, logs},
    {"history", "job", public_, job, clear, logs},
    {"history", "seq", public_, job, clear, logs},
    {"history", "epoch", public_, job, clear, logs},
    {"history", "job_seq", public_, job, clear, logs},
    {"history", "at", public_, job, clear, logs},
    {"history", "kind", public_, job, clear, logs},
    {"history", "path", sensitive, job, clear, logs},
    {"history", "attempt", public_, job, clear, logs},
    {"history", "status", public_, job, clear, logs},
    {"history", "sealed_text", secret, job_payload, sealed, logs, "history.text"},
    {"history", "agent", public_, job, clear, logs},
    {"history", "reason", public_, job, clear, logs},

    {"tunnels", "org", public_, tunnel, clear, standing},
    {"tunnels", "id", public_, tunnel, clear, standing},
    {"tunnels", "name", sensitive, tunnel, clear, standing},
    {"tunnels", "group_id", public_, tunnel, clear, standing},
    {"tunnels", "agent", public_, tunnel, clear, standing},
    {"tunnels", "host", sensitive, tunnel, clear, standing},
    {"tunnels", "port", sensitive, tunnel, clear, standing},
    {"tunnels", "listen_address", sensitive, tunnel, clear, standing},
    {"tunnels", "listen_port", public_, tunnel, clear, standing},
    {"tunnels", "networks", sensitive, tunnel, clear, standing},
    {"tunnels", "most_connections", public_, tunnel, clear, standing},
    {"tunnels", "bytes_per_second", public_, tunnel, clear, standing},
    {"tunnels", "idle_ms", public_, tunnel, clear, standing},
    {"tunnels", "expires_at", public_, tunnel, clear, standing},
    {"tunnels", "status", public_, tunnel, clear, standing},
    {"tunnels", "created_by", sensitive, person, clear, standing},
    {"tunnels", "created_at", public_, tunnel, clear, standing},
    {"tunnels", "removed_at", public_, tunnel, clear, standing},
    {"tunnels", "closed_connections", public_, tunnel, clear, standing},
    {"tunnels", "roles", public_, tunnel, clear, standing},
    {"tunnels", "tokens", public_, tunnel, clear, standing},

    {"tunnel_connections", "org", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "tunnel", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "id", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "agent", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "source", sensitive, person, clear, server_logs},
    {"tunnel_connections", "opened_at", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "closed_at", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "to_target", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "from_target", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "end_reason", public_, tunnel, clear, server_logs},
    {"tunnel_connections", "detail", sensitive, tunnel, clear, server_logs},
    {"tunnel_connections", "user", sensitive, person, clear, server_logs},
    {"tunnel_connections", "token", public_, person, clear, server_logs},

    {"webhooks", "org", public_, organisation, clear, standing},
    {"webhooks", "id", public_, organisation, clear, standing},
    {"webhooks", "recipe", public_, organisation, clear, standing},
    {"webhooks", "name", sensitive, organisation, clear, standing},
    {"webhooks", "proof", public_, organisation, clear, standing},
    {"webhooks", "signature_header", sensitive, organisation, clear, standing},
    {"webhooks", "sealed_secrets", secret, key_material, sealed, standing, "webhooks.secrets"},
    {"webhooks", "secret_set_at", public_, organisation, clear, standing},
    {"webhooks", "old_secret_until", public_, organisation, clear, standing},
    {"webhooks", "created_by", sensitive, person, clear, standing},
    {"webhooks", "created_at", public_, organisation, clear, standing},

    {"idempotency_keys", "org", public_, operational, clear, transient},
    {"idempotency_keys", "key", sensitive, person, clear, transient},
    {"idempotency_keys", "request_hash", secret, operational, hashed, transient},
    {"idempotency_keys", "claimed_at", public_, operational, clear, transient},
    {"idempotency_keys", "status", public_, operational, clear, transient},
    {"idempotency_keys", "sealed_body", secret, operational, sealed, transient, "idempotency_keys.response"},
    {"idempotency_keys", "job", public_, operational, clear, transient},

    {"audit_rows", "org", public_, organisation, clear, audit},
    {"audit_rows", "seq", public_, organisation, clear, audit},
    {"audit_rows", "id", public_, organisation, clear, audit},
    {"audit_rows", "at", public_, organisation, clear, audit},
    {"audit_rows", "json", public_, organisation, clear, audit},
    {"audit_rows", "previous_hash", public_, organisation, clear, audit},
    {"audit_rows", "hash", public_, organisation, clear, audit},
    {"audit_rows", "action", public_, organisation, clear, audit},

    {"audit_texts", "org", public_, organisation, clear, audit},
    {"audit_texts", "seq", public_, organisation, clear, audit},
    {"audit_texts", "member", public_, organisation, clear, audit},
    {"audit_texts", "person", sensitive, person, clear, audit},
    {"audit_texts", "salt", public_, organisation, clear, audit},
    {"audit_texts", "json", sensitive, person, clear, audit},

    {"key_witnesses", "org", public_, organisation, clear, standing},
    {"key_witnesses", "version", public_, organisation, clear, standing},
    {"key_witnesses", "attached", public_, organisation, clear, standing},
    {"key_witnesses", "kind", public_, organisation, clear, standing},
    {"key_witnesses", "attached_at", public_, organisation, clear, standing},
    {"key_witnesses", "missing_since", public_, organisation, clear, standing},
    {"key_witnesses", "last_attached", public_, organisation, clear, standing},

    {"archive_places", "org", public_, organisation, clear, standing},
    {"archive_places", "place", public_, organisation, clear, standing},
    {"archive_places", "set_at", public_, organisation, clear, standing},

    {"archive_outbox", "org", public_, job, clear, payload},
    {"archive_outbox", "job", public_, job, clear, payload},
    {"archive_outbox", "due_at", public_, job, clear, payload},
    {"archive_outbox", "failures", public_, job, clear, payload},

    {"archive_records", "org", public_, job, clear, archive},
    {"archive_records", "job", public_, job, clear, archive},
    {"archive_records", "place", public_, job, clear, archive},
    {"archive_records", "object", public_, job, clear, archive},
    {"archive_records", "hours", public_, job, clear, archive},
    {"archive_records", "hour", public_, job, clear, archive},
    {"archive_records", "size", public_, job, clear, archive},
    {"archive_records", "archived_at", public_, job, clear, archive},

    {"audit_heads", "org", public_, organisation, clear, audit},
    {"audit_heads", "seq", public_, organisation, clear, audit},
    {"audit_heads", "hash", public_, organisation, clear, audit},
    {"audit_heads", "cut_seq", public_, organisation, clear, audit},
    {"audit_heads", "cut_hash", public_, organisation, clear, audit},

    {"erasures", "id", public_, operational, clear, standing},
    {"erasures", "subject", public_, operational, clear, standing},
    {"erasures", "org", public_, operational, clear, standing},
    {"erasures", "person", sensitive, person, clear, standing},
    {"erasures", "asked_by", sensitive, operational, clear, standing},
    {"erasures", "asked_at", public_, operational, clear, standing},
    {"erasures", "keys", public_, operational, clear, standing},
    {"erasures", "finished_at", public_, operational, clear, standing},
    {"erasures", "receipt", public_, operational, clear, standing},

    {"erased_rows", "erasure", public_, operational, clear, standing},
    {"erased_rows", "table_name", public_, operational, clear, standing},
    {"erased_rows", "amount", public_, operational, clear, standing},

    {"archive_removals", "place", public_, operational, clear, standing},
    {"archive_removals", "object", public_, operational, clear, standing},
    {"archive_removals", "erasure", public_, operational, clear, standing},
    {"archive_removals", "tries", public_, operational, clear, standing},

    {"receipt_keys", "id", public_, operational, clear, standing},
    {"receipt_keys", "public_key", public_, operational, clear, standing},
    {"receipt_keys", "sealed_private_key", secret, key_material, sealed, standing, "receipt_keys.private_key"},
    {"receipt_keys", "created_at", public_, operational, clear, standing},

    {"schema_migrations", "number", public_, operational, clear, standing},
    {"schema_migrations", "name", public_, operational, clear, standing},

    {"platform_retention", "class", public_, operational, clear, standing},
    {"platform_retention", "hours", public_, operational, clear, standing},

    {"organisation_retention", "org", public_, organisation, clear, standing},
    {"organisation_retention", "class", public_, organisation, clear, standing},
    {"organisation_retention", "hours", public_, organisation, clear, standing},

    // keys.db
    {"global_keys", "version", public_, key_material, clear, standing},
    {"global_keys", "wrapped", secret, key_material, wrapped, standing},
    {"global_keys", "created_at", public_, key_material, clear, standing},

    {"tenant_keys", "org", public_, key_material, clear, standing},
    {"tenant_keys", "version", public_, key_material, clear, standing},
    {"tenant_keys", "under", public_, key_material, clear, standing},
    {"tenant_keys", "wrapped", secret, key_material, wrapped, standing},
    {"tenant_keys", "created_at", public_, key_material, clear, standing},
    {"tenant_keys", "own", public_, key_material, clear, standing},

    {"own_keys", "org", public_, key_material, clear, standing},
    {"own_keys", "version", public_, key_material, clear, standing},
    {"own_keys", "kind", public_, key_material, clear, standing},
    {"own_keys", "place", sensitive, key_material, clear, standing},
    {"own_keys", "credentials", secret, key_material, wrapped, standing},
    {"own_keys", "wrapped", secret, key_material, wrapped, standing},
    {"own_keys", "attached_at", public_, key_material, clear, standing},
    {"own_keys", "refused_since", public_, key_material, clear, standing},
    {"own_keys", "reason", sensitive, key_material, clear, standing},

    {"ratchets", "org", public_, key_material, clear, standing},
    {"ratchets", "kind", public_, key_material, clear, standing},
    {"ratchets", "hours", public_, key_material, clear, standing},
    {"ratchets", "position", public_, key_material, clear, standing},
    {"ratchets", "sealed", secret, key_material, wrapped, standing},

    {"hour_keys", "org", public_, key_material, clear, logs},
    {"hour_keys", "kind", public_, key_material, clear, logs},
    {"hour_keys", "hours", public_, key_material, clear, logs},
    {"hour_keys", "hour", public_, key_material, clear, logs},
    {"hour_keys", "under", public_, key_material, clear, logs},
    {"hour_keys", "wrapped", secret, key_material, wrapped, logs},

    {"given_up_keys", "org", public_, key_material, clear, standing},
    {"given_up_keys", "version", public_, key_material, clear, standing},
    {"given_up_hours", "org", public_, key_material, clear, logs},
    {"given_up_hours", "kind", public_, key_material, clear, logs},
    {"given_up_hours", "hours", public_, key_material, clear, logs},
    {"given_up_hours", "hour", public_, key_material, clear, logs},
    {"restore_notes", "id", public_, operational, clear, standing},
    {"restore_notes", "org", public_, operational, clear, standing},
    {"restore_notes", "detail", public_, operational, clear, standing},

    {"erased_organisations", "org", public_, key_material, clear, standing},
    {"erased_organisations", "versions", public_, key_material, clear, standing},
    {"erased_organisations", "lanes", public_, key_material, clear, standing},
    {"erased_organisations", "hours", public_, key_material, clear, standing},
    {"erased_organisations", "epoch_before", public_, key_material, clear, standing},
    {"erased_organisations", "epoch_after", public_, key_material, clear, standing},

    {"anchor", "only", public_, operational, clear, standing},
    {"anchor", "epoch", public_, operational, clear, standing},
});

constexpr bool is_sound(const Field& field) {
  const bool hidden = field.kept != clear;
  return (field.is == secret) == hidden && (field.kept == sealed) == !field.record.empty();
}
static_assert(std::ranges::all_of(kFields, is_sound),
              "what is secret is sealed, wrapped or hashed, and nothing else is");

}  // namespace

std::string_view to_string(About about) {
  switch (about) {
    case organisation: return "organisation";
    case person: return "person";
    case agent: return "agent";
    case recipe: return "recipe";
    case job: return "job";
    case job_payload: return "job payload";
    case tunnel: return "tunnel";
    case key_material: return "key material";
    case operational: return "operational";
  }
  return "";
}

std::string_view to_string(Kept kept) {
  switch (kept) {
    case clear: return "clear";
    case sealed: return "sealed";
    case wrapped: return "wrapped";
    case hashed: return "hashed";
  }
  return "";
}

std::string_view to_string(Retention retention) {
  switch (retention) {
    case standing: return "standing";
    case payload: return "payload";
    case logs: return "logs";
    case server_logs: return "server logs";
    case audit: return "audit";
    case archive: return "archive";
    case transient: return "transient";
  }
  return "";
}

std::span<const Field> fields() { return kFields; }

const Field* find_field(std::string_view table, std::string_view column) {
  const auto* found =
      std::ranges::find_if(kFields, [&](const Field& field) { return field.table == table && field.column == column; });
  return found == kFields.end() ? nullptr : found;
}

FieldClass class_of(std::string_view table, std::string_view column) {
  const auto* field = find_field(table, column);
  return field == nullptr ? secret : field->is;
}

const Field* find_sealed(std::string_view record_table, std::string_view record_column) {
  const std::string record = std::string(record_table) + "." + std::string(record_column);
  const auto* found = std::ranges::find(kFields, record, &Field::record);
  return found == kFields.end() ? nullptr : found;
}

}  // namespace sallyport::domain
