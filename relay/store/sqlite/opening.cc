#include "relay/store/sqlite/opening.h"

#include "relay/store/sqlite/migrate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

namespace sallyport::store::sqlite {
namespace {

// SQLite would make the file with the process's umask; its log files take the mode of the file.
Result<void> make_private_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(Errc::invalid,
                fmt::format("{}: cannot open the database: {}", file.string(), std::generic_category().message(errno)));
  }
  ::close(fd);
  return {};
}

Result<void> expect_content(const std::filesystem::path& file) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (!problem && size > 0) return {};
  if (problem && problem != std::errc::no_such_file_or_directory)
    return fail(Errc::unavailable, fmt::format("{}: cannot open the database: {}", file.string(), problem.message()));
  return fail(Errc::not_found, fmt::format("{}: the database is {}", file.string(), problem ? "missing" : "empty"));
}

// Brings the schema up to date. A migration may take away what must not stay: neither free pages nor the log keep it.
Result<void> bring_up_to_date(Database& database, std::span<const Migration> migrations) {
  SP_TRY(const std::size_t before, migrate(database, migrations));
  if (before == 0 || before == migrations.size()) return {};
  return database.script("vacuum; pragma wal_checkpoint(truncate)");
}

Result<void> prepare_writer(Database& database, const SqliteOptions& options, std::span<const Migration> migrations) {
  // Incremental: for a new file, and for others from their next vacuum.
  SP_CHECK(database.script("pragma busy_timeout = 5000; pragma auto_vacuum = incremental"));
  SP_TRY(std::string mode,
         database.prepare("pragma journal_mode = wal").one("mode", [](Row row) { return row.text(); }));
  if (mode != "wal") {
    return fail(Errc::invalid, "the database needs a local file system: write-ahead logging is not possible here");
  }
  SP_CHECK(database.script(
      "pragma synchronous = full; pragma foreign_keys = off; pragma temp_store = memory; pragma secure_delete = on;"
      "pragma journal_size_limit = 67108864;"));
  SP_CHECK(bring_up_to_date(database, migrations));
  SP_CHECK(database.script("pragma foreign_keys = on"));
  if (options.max_pages > 0) SP_CHECK(database.script(fmt::format("pragma max_page_count = {}", options.max_pages)));
  return {};
}

}  // namespace

Result<Database> open_writer(const SqliteOptions& options, std::span<const Migration> migrations) {
  SP_CHECK(options.when_absent == WhenAbsent::make ? make_private_file(options.file) : expect_content(options.file));
  SP_TRY(Database database, Database::open(options.file, Access::read_write, options.vfs));
  if (auto ready = prepare_writer(database, options, migrations); !ready)
    return in_context(options.file.string(), ready.error());
  return database;
}

Result<Database> open_reader(const SqliteOptions& options) {
  SP_TRY(Database database, Database::open(options.file, Access::read_only, options.vfs));
  SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000"));
  return database;
}

}  // namespace sallyport::store::sqlite
