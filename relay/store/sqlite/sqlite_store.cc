#include "relay/store/sqlite/sqlite_store.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/opening.h"

namespace sallyport::store {

struct SqliteStore::Impl {
  Impl(sqlite::Database writer, sqlite::Database reader, sqlite::LaneLimits limits)
      : engine(std::move(writer), std::move(reader), limits) {}

  sqlite::Engine engine;
  std::unique_ptr<Organisations> organisations = sqlite::make_organisations(engine);
  std::unique_ptr<Users> users = sqlite::make_users(engine);
  std::unique_ptr<ApiTokens> api_tokens = sqlite::make_api_tokens(engine);
  std::unique_ptr<Groups> groups = sqlite::make_groups(engine);
  std::unique_ptr<Agents> agents = sqlite::make_agents(engine);
  std::unique_ptr<Certificates> certificates = sqlite::make_certificates(engine);
  std::unique_ptr<IssuingCas> issuing_cas = sqlite::make_issuing_cas(engine);
  std::unique_ptr<EnrolmentTokens> enrolment_tokens = sqlite::make_enrolment_tokens(engine);
  std::unique_ptr<Connections> connections = sqlite::make_connections(engine);
  std::unique_ptr<Recipes> recipes = sqlite::make_recipes(engine);
  std::unique_ptr<Assignments> assignments = sqlite::make_assignments(engine);
  std::unique_ptr<Jobs> jobs = sqlite::make_jobs(engine);
  std::unique_ptr<JobKeys> job_keys = sqlite::make_job_keys(engine);
  std::unique_ptr<History> history = sqlite::make_history(engine);
  std::unique_ptr<Tunnels> tunnels = sqlite::make_tunnels(engine);
  std::unique_ptr<Retentions> retentions = sqlite::make_retentions(engine);
  std::unique_ptr<StandingRecords> standing_records = sqlite::make_standing_records(engine);
  std::unique_ptr<KeyWitnesses> key_witnesses = sqlite::make_key_witnesses(engine);
  std::unique_ptr<SystemKeys> system_keys = sqlite::make_system_keys(engine);
  std::unique_ptr<Webhooks> webhooks = sqlite::make_webhooks(engine);
  std::unique_ptr<IdempotencyKeys> idempotency_keys = sqlite::make_idempotency_keys(engine);
  std::unique_ptr<AuditLog> audit_log = sqlite::make_audit_log(engine);
  std::unique_ptr<Erasures> erasures = sqlite::make_erasures(engine);
  std::unique_ptr<Extracts> extracts = sqlite::make_extracts(engine);
  std::unique_ptr<AuditCuts> audit_cuts = sqlite::make_audit_cuts(engine);
  std::unique_ptr<Archive> archive = sqlite::make_archive(engine);
  std::unique_ptr<Health> health = sqlite::make_health(engine);
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  SP_TRY(auto writer, sqlite::open_writer(options, sqlite_migrations()));
  SP_TRY(auto reader, sqlite::open_reader(options));
  const sqlite::LaneLimits limits{
      .max_queued = options.max_queued, .max_batch = options.max_batch, .read_time = options.read_time};
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::make_unique<Impl>(std::move(writer), std::move(reader), limits)));
}

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Stores SqliteStore::stores() {
  return {.organisations = *impl_->organisations,
          .users = *impl_->users,
          .api_tokens = *impl_->api_tokens,
          .groups = *impl_->groups,
          .agents = *impl_->agents,
          .certificates = *impl_->certificates,
          .issuing_cas = *impl_->issuing_cas,
          .enrolment_tokens = *impl_->enrolment_tokens,
          .connections = *impl_->connections,
          .recipes = *impl_->recipes,
          .assignments = *impl_->assignments,
          .jobs = *impl_->jobs,
          .job_keys = *impl_->job_keys,
          .history = *impl_->history,
          .tunnels = *impl_->tunnels,
          .retentions = *impl_->retentions,
          .standing_records = *impl_->standing_records,
          .key_witnesses = *impl_->key_witnesses,
          .system_keys = *impl_->system_keys,
          .webhooks = *impl_->webhooks,
          .idempotency_keys = *impl_->idempotency_keys,
          .audit_log = *impl_->audit_log,
          .erasures = *impl_->erasures,
          .extracts = *impl_->extracts,
          .audit_cuts = *impl_->audit_cuts,
          .archive = *impl_->archive,
          .health = *impl_->health};
}

}  // namespace sallyport::store
