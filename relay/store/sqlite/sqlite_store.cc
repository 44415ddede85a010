#include "relay/store/sqlite/sqlite_store.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/migrate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

namespace sallyport::store {
namespace {

using sqlite::Access;
using sqlite::Database;
using sqlite::Engine;
using sqlite::Row;

// SQLite would make the file with the process's umask; its log files take the mode of the file.
Result<void> make_private_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(Errc::invalid, fmt::format("{}: cannot open the relay's database: {}", file.string(),
                                           std::generic_category().message(errno)));
  }
  ::close(fd);
  return {};
}

Result<void> expect_content(const std::filesystem::path& file) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (!problem && size > 0) return {};
  return fail(Errc::not_found, fmt::format("{}: the relay's database is {}", file.string(),
                                           problem ? problem.message() : std::string("empty")));
}

// Brings the schema up to date. A migration may take away what must not stay: neither free pages nor the log keep it.
Result<void> migrate(Database& database) {
  SP_TRY(const std::size_t before, sqlite::migrate(database, sqlite_migrations()));
  if (before == 0 || before == sqlite_migrations().size()) return {};
  return database.script("vacuum; pragma wal_checkpoint(truncate)");
}

Result<void> prepare_writer(Database& database, const SqliteOptions& options) {
  SP_TRY(std::string mode,
         database.prepare("pragma journal_mode = wal").one("mode", [](Row row) { return row.text(); }));
  if (mode != "wal") {
    return fail(Errc::invalid,
                "the relay's database needs a local file system: write-ahead logging is not possible here");
  }
  SP_CHECK(database.script(
      "pragma synchronous = full; pragma foreign_keys = off; pragma temp_store = memory; pragma secure_delete = on;"
      "pragma busy_timeout = 5000; pragma journal_size_limit = 67108864;"));
  SP_CHECK(migrate(database));
  SP_CHECK(database.script("pragma foreign_keys = on"));
  if (options.max_pages > 0) SP_CHECK(database.script(fmt::format("pragma max_page_count = {}", options.max_pages)));
  return {};
}

Result<Database> open_writer(const SqliteOptions& options) {
  SP_CHECK(options.when_absent == WhenAbsent::make ? make_private_file(options.file) : expect_content(options.file));
  SP_TRY(Database database, Database::open(options.file, Access::read_write, options.vfs));
  if (auto ready = prepare_writer(database, options); !ready) return in_context(options.file.string(), ready.error());
  return database;
}

Result<Database> open_reader(const SqliteOptions& options) {
  SP_TRY(Database database, Database::open(options.file, Access::read_only, options.vfs));
  SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000"));
  return database;
}

}  // namespace

struct SqliteStore::Impl {
  Impl(Database writer, Database reader, sqlite::LaneLimits limits)
      : engine(std::move(writer), std::move(reader), limits) {}

  Engine engine;
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
  std::unique_ptr<History> history = sqlite::make_history(engine);
  std::unique_ptr<Tunnels> tunnels = sqlite::make_tunnels(engine);
  std::unique_ptr<IdempotencyKeys> idempotency_keys = sqlite::make_idempotency_keys(engine);
  std::unique_ptr<AuditLog> audit_log = sqlite::make_audit_log(engine);
  std::unique_ptr<Health> health = sqlite::make_health(engine);
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  SP_TRY(Database writer, open_writer(options));
  SP_TRY(Database reader, open_reader(options));
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
          .history = *impl_->history,
          .tunnels = *impl_->tunnels,
          .idempotency_keys = *impl_->idempotency_keys,
          .audit_log = *impl_->audit_log,
          .health = *impl_->health};
}

}  // namespace sallyport::store
