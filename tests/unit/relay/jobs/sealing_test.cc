#include "relay/jobs/sealing.h"

#include "relay/domain/fields.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::jobs;

// The key of a field ends when the field's retention does: the table of fields and the code that seals say the same.
TEST_CASE("what belongs to jobs is sealed under the key of its retention class", "[jobs][fields]") {
  const OrgId org("org_1");
  const JobId job("job_1");
  const keys::RecordIdentity identities[] = {
      trigger_identity(org, job),
      error_identity(org, job),
      step_identity(org, "input", job, "rows", 1),
      step_identity(org, "output", job, "rows", 1),
      step_identity(org, "message", job, "rows", 1),
      log_identity(org, job, 1, 1),
      connection_identity(org, AgentId("agent_1"), "erp-db"),
  };
  for (const auto& identity : identities) {
    INFO(identity.table << "." << identity.column);
    const auto* field = domain::find_sealed(identity.table, identity.column);
    REQUIRE(field != nullptr);
    CHECK(domain::to_string(field->retention) == keys::to_string(identity.key));
    const bool of_a_job = field->retention == domain::Retention::payload || field->retention == domain::Retention::logs;
    CHECK(identity.job.value.empty() != of_a_job);
  }
}
