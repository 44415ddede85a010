#include "relay/store/migrations/keys_0001_initial.h"
#include "relay/store/migrations/keys_0002_own_keys.h"
#include "relay/store/migrations/keys_0003_erased_organisations.h"
#include "relay/store/migrations/keys_0004_given_up_keys.h"
#include "relay/store/migrations/keys_0005_given_up_hours.h"
#include "relay/store/migrations/migrations.h"
#include "relay/store/migrations/sqlite_0001_initial.h"
#include "relay/store/migrations/sqlite_0002_sealed_texts.h"
#include "relay/store/migrations/sqlite_0003_steps_by_start.h"
#include "relay/store/migrations/sqlite_0004_journals.h"
#include "relay/store/migrations/sqlite_0005_removed_groups.h"
#include "relay/store/migrations/sqlite_0006_taken_back.h"
#include "relay/store/migrations/sqlite_0007_jobs_held.h"
#include "relay/store/migrations/sqlite_0008_tunnels.h"
#include "relay/store/migrations/sqlite_0009_tunnel_access.h"
#include "relay/store/migrations/sqlite_0010_certificate_roots.h"
#include "relay/store/migrations/sqlite_0011_tokens_for_agents.h"
#include "relay/store/migrations/sqlite_0012_retention.h"
#include "relay/store/migrations/sqlite_0013_job_keys.h"
#include "relay/store/migrations/sqlite_0014_zero_retention.h"
#include "relay/store/migrations/sqlite_0015_bare_jobs.h"
#include "relay/store/migrations/sqlite_0016_erasure.h"
#include "relay/store/migrations/sqlite_0017_system_keys.h"
#include "relay/store/migrations/sqlite_0018_archive.h"
#include "relay/store/migrations/sqlite_0019_objects_to_remove.h"
#include "relay/store/migrations/sqlite_0020_key_witnesses.h"
#include "relay/store/migrations/sqlite_0021_webhooks.h"
#include "relay/store/migrations/sqlite_0022_dry_runs.h"

#include <array>

namespace sallyport::store {

std::span<const Migration> sqlite_migrations() {
  static constexpr std::array migrations = {
      Migration{1, "initial", kSqlite0001Initial},
      Migration{2, "sealed texts", kSqlite0002SealedTexts},
      Migration{3, "steps by start", kSqlite0003StepsByStart},
      Migration{4, "journals", kSqlite0004Journals},
      Migration{5, "removed groups", kSqlite0005RemovedGroups},
      Migration{6, "taken back", kSqlite0006TakenBack},
      Migration{7, "jobs held", kSqlite0007JobsHeld},
      Migration{8, "tunnels", kSqlite0008Tunnels},
      Migration{9, "tunnel access", kSqlite0009TunnelAccess},
      Migration{10, "certificate roots", kSqlite0010CertificateRoots},
      Migration{11, "tokens for agents", kSqlite0011TokensForAgents},
      Migration{12, "retention", kSqlite0012Retention},
      Migration{13, "job keys", kSqlite0013JobKeys},
      Migration{14, "zero retention", kSqlite0014ZeroRetention},
      Migration{15, "bare jobs", kSqlite0015BareJobs},
      Migration{16, "erasure", kSqlite0016Erasure},
      Migration{17, "system keys", kSqlite0017SystemKeys},
      Migration{18, "archive", kSqlite0018Archive},
      Migration{19, "objects to remove", kSqlite0019ObjectsToRemove},
      Migration{20, "key witnesses", kSqlite0020KeyWitnesses},
      Migration{21, "webhooks", kSqlite0021Webhooks},
      Migration{22, "dry runs", kSqlite0022DryRuns},
  };
  return migrations;
}

std::span<const Migration> sqlite_key_migrations() {
  static constexpr std::array migrations = {
      Migration{1, "initial", kKeys0001Initial},
      Migration{2, "own keys", kKeys0002OwnKeys},
      Migration{3, "erased organisations", kKeys0003ErasedOrganisations},
      Migration{4, "given up keys", kKeys0004GivenUpKeys},
      Migration{5, "given up hours", kKeys0005GivenUpHours},
  };
  return migrations;
}

}  // namespace sallyport::store
