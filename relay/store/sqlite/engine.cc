#include "relay/store/sqlite/engine.h"

namespace sallyport::store::sqlite {
namespace {

constexpr int kPagesPerCheckpoint = 4000;  // about 16 MiB of log

// Moves the log into the file now and then, off the path of any commit. Without effect while a reader needs the log.
class Checkpoints {
 public:
  explicit Checkpoints(std::shared_ptr<std::atomic<bool>> empty_log) : empty_log_(std::move(empty_log)) {}

  void operator()(Database& database) {
    if (empty_log_->exchange(false)) {  // whoever asks from here on asks for the next time
      if (empty(database)) {
        moved_at_ = 0;
        return;
      }
      *empty_log_ = true;
    }
    const int pages = database.wal_pages();
    if (pages < moved_at_) moved_at_ = 0;  // SQLite began the log anew
    if (pages - moved_at_ < kPagesPerCheckpoint) return;
    database.run_quietly("pragma wal_checkpoint(passive)");
    moved_at_ = pages;
  }

 private:
  static bool empty(Database& database) {
    const auto busy =
        database.prepare("pragma wal_checkpoint(truncate)").one("row", [](Row row) { return row.integer() != 0; });
    return busy && !*busy;
  }

  std::shared_ptr<std::atomic<bool>> empty_log_;
  int moved_at_ = 0;
};

}  // namespace

Engine::Engine(Database writer, Database reader, LaneLimits limits)
    : writes_(std::move(writer), {commit_as_group, Checkpoints(empty_log_)}, limits),
      reads_(
          std::move(reader),
          {[most = limits.read_time](Database& database, std::span<Call> calls) { read_each(database, calls, most); },
           nullptr},
          limits) {}

}  // namespace sallyport::store::sqlite
