#include "relay/store/sqlite/key_copies.h"

#include "relay/store/sqlite/lane.h"
#include "shared/base/descriptor_posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace sallyport::store::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostWaiting = 16;

Descriptor open_file(const fs::path& file, int flags) {
  return Descriptor(::open(file.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
}

std::unexpected<Error> failed(const fs::path& file, std::string_view what, Errc code = Errc::unavailable) {
  return fail(code, fmt::format("{}: {}: {}", file.string(), what, std::generic_category().message(errno)));
}

Result<void> make_file(const fs::path& file) {
  const auto made = open_file(file, O_WRONLY | O_CREAT | O_EXCL);
  if (!made) return failed(file, "cannot make the file", errno == EEXIST ? Errc::conflict : Errc::unavailable);
  return {};
}

Result<std::uint64_t> fill(Database& source, const fs::path& file) {
  SP_TRY(Database copy, Database::open(file, Access::read_write));
  SP_CHECK(copy.script("pragma journal_mode = memory"));
  SP_CHECK(source.copy_into(copy));
  SP_CHECK(copy.script("pragma synchronous = full; pragma journal_mode = delete"));  // from here on without a log
  return copy.prepare("select epoch from anchor").one("anchor", [](Row row) { return row.u64(); });
}

Result<std::uint64_t> copy(Database& source, const fs::path& file) {
  SP_CHECK(make_file(file));
  auto epoch = fill(source, file);
  const auto made = open_file(file, O_WRONLY);
  if (epoch && (!made || ::fsync(made.get()) != 0)) epoch = failed(file, "cannot store the file");
  if (!epoch) ::unlink(file.c_str());
  return epoch;
}

Result<void> overwrite(const fs::path& file, const Descriptor& at) {
  struct stat facts{};
  if (::fstat(at.get(), &facts) != 0) return failed(file, "cannot examine the file");
  constexpr std::array<std::byte, 64 << 10> kNothing{};
  for (off_t done = 0; done < facts.st_size;) {
    const auto most = std::min<std::size_t>(kNothing.size(), static_cast<std::size_t>(facts.st_size - done));
    const auto put = ::pwrite(at.get(), kNothing.data(), most, done);
    if (put <= 0) return failed(file, "cannot overwrite the file");
    done += put;
  }
  if (::fsync(at.get()) != 0) return failed(file, "cannot overwrite the file");
  return {};
}

Result<void> overwrite_and_remove(const fs::path& file) {
  // What a copy that was cut short left: SQLite would take it for the log of another file of this name.
  for (const auto* log : {"-journal", "-wal", "-shm"}) ::unlink((file.string() + log).c_str());
  const auto at = open_file(file, O_WRONLY);
  if (!at && errno == ENOENT) return {};
  if (!at) return failed(file, "cannot open the file");
  SP_CHECK(overwrite(file, at));
  if (::unlink(file.c_str()) != 0) return failed(file, "cannot remove the file");
  return {};
}

class SqliteKeyCopies final : public KeyCopies {
 public:
  explicit SqliteKeyCopies(Database source)
      : lane_(std::move(source), {run_each, nullptr}, {.max_queued = kMostWaiting, .max_batch = kMostWaiting}) {}

  awaitable<Result<std::uint64_t>> copy_to(fs::path file) override {
    Result<std::uint64_t> epoch = 0;
    SP_CO_CHECK(co_await lane_.submit([&epoch, &file](Database& source) -> Result<void> {
      epoch = copy(source, file);
      return {};
    }));
    co_return epoch;
  }

  awaitable<Result<std::int64_t>> version() override {
    Result<std::int64_t> version = 0;
    SP_CO_CHECK(co_await lane_.submit([&version](Database& source) -> Result<void> {
      version = source.prepare("pragma data_version").one("version", [](Row row) { return row.integer(); });
      return {};
    }));
    co_return version;
  }

  awaitable<Result<void>> discard(fs::path file) override {
    co_return co_await lane_.submit([&file](Database&) { return overwrite_and_remove(file); });
  }

 private:
  static void run_each(Database& source, std::span<Call> calls) {
    for (Call& call : calls) call.outcome = call.work(source);
  }

  Lane lane_;
};

}  // namespace

std::unique_ptr<KeyCopies> make_key_copies(Database source) {
  return std::make_unique<SqliteKeyCopies>(std::move(source));
}

}  // namespace sallyport::store::sqlite
