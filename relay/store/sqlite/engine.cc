#include "relay/store/sqlite/engine.h"

namespace sallyport::store::sqlite {
namespace {

constexpr int kPagesPerCheckpoint = 4000;  // about 16 MiB of log

// Moves the log into the file now and then, off the path of any commit. Without effect while a reader needs the log.
class Checkpoints {
 public:
  void operator()(Database& database) {
    const int pages = database.wal_pages();
    if (pages < moved_at_) moved_at_ = 0;  // SQLite began the log anew
    if (pages - moved_at_ < kPagesPerCheckpoint) return;
    database.run_quietly("pragma wal_checkpoint(passive)");
    moved_at_ = pages;
  }

 private:
  int moved_at_ = 0;
};

}  // namespace

Engine::Engine(Database writer, Database reader, LaneLimits limits)
    : writes_(std::move(writer), {commit_as_group, Checkpoints()}, limits),
      reads_(
          std::move(reader),
          {[most = limits.read_time](Database& database, std::span<Call> calls) { read_each(database, calls, most); },
           nullptr},
          limits) {}

}  // namespace sallyport::store::sqlite
