#pragma once

#include "relay/store/store.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace sallyport::store {

enum class WhenAbsent {
  make,    // a new file, mode 0600; its folder must exist
  refuse,  // Errc::not_found, for an empty file too; nothing is made
};

struct SqliteOptions {
  std::filesystem::path file;
  WhenAbsent when_absent = WhenAbsent::make;
  std::size_t max_queued = 4096;              // calls waiting per lane (writes, reads); then Errc::exhausted
  std::size_t max_batch = 256;                // writes that share one commit
  std::chrono::milliseconds read_time{5000};  // then a read is given up: Errc::timed_out
  std::uint32_t max_pages = 0;                // 0 = SQLite's own limit; tests use it to fill a "disk"
  std::string vfs = {};                       // name of a registered SQLite VFS; "" = the system's
};

// The embedded engine: one SQLite file (WAL, synchronous=FULL). Writes run on one thread and are committed in groups,
// each under its own savepoint; reads run on a second connection and thread. No other process may write to the file.
class SqliteStore {
 public:
  // Opens or makes the file and brings its schema up to date. Errc::invalid: the file is newer than this program.
  // Errc::not_found: see WhenAbsent.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options);
  // Waits for the calls under way, refuses the rest. Must come before the end of its callers' loops.
  ~SqliteStore();

  Stores stores();

 private:
  struct Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::store
