#include "relay/store/health.h"

#include "relay/store/sqlite/adapters.h"

#include <atomic>

namespace sallyport::store::sqlite {
namespace {

using std::chrono::steady_clock;

// The header's user version is nobody's: setting it, also to what it is, sends one page through log and disk.
Result<void> write_header(Database& db) { return db.script("pragma user_version = 1"); }

class SqliteHealth final : public Health {
 public:
  explicit SqliteHealth(Engine& engine) : engine_(engine) {}

  awaitable<Result<void>> check_write() override {
    if (steady_clock::now() < good_until_.load()) co_return Result<void>();
    auto written = co_await engine_.write(write_header);
    if (written) good_until_.store(steady_clock::now() + kProbeLife);
    co_return written;
  }

 private:
  Engine& engine_;
  std::atomic<steady_clock::time_point> good_until_{};
};

}  // namespace

std::unique_ptr<Health> make_health(Engine& engine) { return std::make_unique<SqliteHealth>(engine); }

}  // namespace sallyport::store::sqlite
