#pragma once

#include "relay/keys/backup_shelf.h"
#include "relay/store/key_copies.h"
#include "shared/async/event.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <filesystem>
#include <functional>

namespace sallyport::keys {

// Keeps copies of keys.db, never of the anchor, in a folder of their own (docs/decisions/0038). The newest belongs to
// the anchor as it is: one is made in each turn before the old anchor is overwritten, and soon after whatever else was
// written. Older ones open nothing that expires. One executor.
class Backups {
 public:
  struct Parts {
    store::KeyCopies& copies;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    std::function<std::optional<WallTime>()> believed;  // none: nothing is removed for its age
  };
  struct Terms {
    std::filesystem::path folder;  // mode 0700
    std::chrono::milliseconds keep;
    std::chrono::milliseconds every;  // it is looked whether something was written
  };

  Backups(const boost::asio::any_io_executor& executor, Parts parts, Terms terms)
      : parts_(std::move(parts)), terms_(std::move(terms)), wanted_(executor), tried_(executor) {}

  boost::asio::awaitable<void> run();
  // One as of now; what is not kept any more goes.
  boost::asio::awaitable<Result<Backup>> make();
  // While run() runs: waits until one was made that began after this call, or could not be, or kPatience is over. true:
  // it was made.
  boost::asio::awaitable<bool> catch_up();
  // The same, and every older one goes: what was erased from keys.db is in none. unavailable: not done yet, it is tried
  // again every kRetry.
  boost::asio::awaitable<Result<void>> renew();
  // The same, when there is one of an earlier epoch.
  boost::asio::awaitable<Result<void>> end_before(std::uint64_t epoch);

  static constexpr std::chrono::seconds kPatience{10};
  static constexpr std::chrono::seconds kRetry{60};

 private:
  boost::asio::awaitable<bool> make_and_tell();
  boost::asio::awaitable<bool> is_current();
  boost::asio::awaitable<Result<void>> tidy(std::vector<Backup> before, Backup made, std::uint64_t alone);
  Result<std::vector<Backup>> all() const;
  void tell_current();

  Parts parts_;
  Terms terms_;
  Event wanted_, tried_;
  std::uint64_t calls_ = 0;       // of catch_up()
  std::uint64_t tried_call_ = 0;  // those before the last try was begun
  std::uint64_t served_ = 0;      // those before the newest backup was begun
  bool running_ = false;
  std::uint64_t to_be_alone_ = 0;        // how often one that is the only one was asked for
  std::uint64_t was_alone_ = 0;          // up to which of these it was made
  std::optional<std::int64_t> version_;  // of keys.db when the newest was made
};

}  // namespace sallyport::keys
