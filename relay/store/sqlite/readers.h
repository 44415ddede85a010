#pragma once

#include "relay/store/agents.h"
#include "relay/store/api_tokens.h"
#include "relay/store/certificates.h"
#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/users.h"

#include <string>
#include <string_view>

// Rows that several ports read: the columns to select, in the order in which the reader takes them.
namespace sallyport::store::sqlite {

inline constexpr std::string_view kUserColumns = "u.id, u.org, u.name, u.email, u.role, u.platform, u.created_at";
User read_user(Row& row);
Result<void> insert_user(Database& db, const OrgId& org, const User& user);
// As Users::remove; nothing: there is no such user.
Result<std::optional<UserChange>> remove_user_if_any(Database& db, const OrgId& org, const UserId& id, WallTime now);
Result<void> insert_api_token(Database& db, const OrgId& org, const ApiToken& token);

// not_found: there is no such group, or it is removed, so that nothing new may come into it.
Result<void> expect_group(Database& db, const OrgId& org, const GroupId& group);

inline constexpr std::string_view kAgentColumns =
    "id, org, group_id, name, hostname, software, status, generation, enrolled_at, last_seen_at, "
    "(select c.not_after from certificates c where c.org = agents.org and c.agent = agents.id "
    "and c.generation = agents.generation)";
Agent read_agent(Row row);
Result<void> insert_agent(Database& db, const Agent& agent);

inline constexpr std::string_view kCertificateColumns =
    "serial, org, agent, generation, issued_at, not_after, revoked_at, root_pin";
Certificate read_certificate(Row row);
Result<std::uint32_t> newest_generation(Database& db, const OrgId& org, const AgentId& agent);  // 0: it has none
Result<void> insert_certificate(Database& db, const Certificate& certificate);

Result<void> withdraw_assignment(Database& db, const OrgId& org, const RecipeId& recipe);  // nobody watched: no change

inline constexpr std::string_view kJobColumns =
    "id, org, recipe, version, group_id, agent, state, trigger_kind, event_key, priority, lease_epoch, lease_until, "
    "run_number, rerun_of, concurrency_key, concurrency_limit, cancel_requested_at, created_at, dispatched_at, "
    "started_at, "
    "finished_at, error_class, sealed_error_message, failed_step, held_before, payload_hours, "
    "logs_hours, archive_hours, payload, mode, "
    "(select r.name from recipes r where r.org = jobs.org and r.id = jobs.recipe)";
Job read_job(Row row);
Result<Job> find_job(Database& db, const OrgId& org, const JobId& id);

// Records the end of an unfinished job.
Result<void> end_job(Database& db, const Job& job, const JobOutcome& outcome);

// "select <columns> <rest>"
inline std::string select(std::string_view columns, std::string_view rest) {
  return std::string("select ").append(columns).append(" ").append(rest);
}

}  // namespace sallyport::store::sqlite
