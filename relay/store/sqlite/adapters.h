#pragma once

#include "relay/store/sqlite/engine.h"
#include "relay/store/store.h"

#include <memory>

// The ports on SQLite, one file each. They keep a reference to the engine and no state, but for what Health may
// remember.
namespace sallyport::store::sqlite {

std::unique_ptr<Organisations> make_organisations(Engine& engine);
std::unique_ptr<Users> make_users(Engine& engine);
std::unique_ptr<ApiTokens> make_api_tokens(Engine& engine);
std::unique_ptr<Groups> make_groups(Engine& engine);
std::unique_ptr<Agents> make_agents(Engine& engine);
std::unique_ptr<Certificates> make_certificates(Engine& engine);
std::unique_ptr<IssuingCas> make_issuing_cas(Engine& engine);
std::unique_ptr<EnrolmentTokens> make_enrolment_tokens(Engine& engine);
std::unique_ptr<Connections> make_connections(Engine& engine);
std::unique_ptr<Recipes> make_recipes(Engine& engine);
std::unique_ptr<Assignments> make_assignments(Engine& engine);
std::unique_ptr<Jobs> make_jobs(Engine& engine);
std::unique_ptr<JobKeys> make_job_keys(Engine& engine);
std::unique_ptr<History> make_history(Engine& engine);
std::unique_ptr<Tunnels> make_tunnels(Engine& engine);
std::unique_ptr<Retentions> make_retentions(Engine& engine);
std::unique_ptr<StandingRecords> make_standing_records(Engine& engine);
std::unique_ptr<KeyWitnesses> make_key_witnesses(Engine& engine);
std::unique_ptr<SystemKeys> make_system_keys(Engine& engine);
std::unique_ptr<Webhooks> make_webhooks(Engine& engine);
std::unique_ptr<IdempotencyKeys> make_idempotency_keys(Engine& engine);
std::unique_ptr<AuditLog> make_audit_log(Engine& engine);
std::unique_ptr<Erasures> make_erasures(Engine& engine);
std::unique_ptr<Extracts> make_extracts(Engine& engine);
std::unique_ptr<AuditCuts> make_audit_cuts(Engine& engine);
std::unique_ptr<Archive> make_archive(Engine& engine);
std::unique_ptr<Health> make_health(Engine& engine);

}  // namespace sallyport::store::sqlite
