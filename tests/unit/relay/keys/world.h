#pragma once

#include "relay/keys/shredder.h"
#include "relay/keys/sound_clock.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "tests/support/key_ring.h"
#include "tests/support/temp_dir.h"

#include <map>
#include <string>

// The key hierarchy over real files, with a clock that tests move and a provider that they can break.
namespace sallyport::test {

namespace asio = boost::asio;
using boost::asio::awaitable;

class MovedClock final : public Clock {
 public:
  SteadyTime steady() const override { return SteadyTime(std::chrono::hours(1)) + passed_; }
  WallTime wall() const override {
    return wall_ + std::chrono::duration_cast<std::chrono::milliseconds>(passed_) + jump;
  }
  void pass(std::chrono::seconds by) { passed_ += by; }
  std::chrono::milliseconds jump{0};

 private:
  WallTime wall_ = WallTime(std::chrono::hours(490'000));  // on the hour
  std::chrono::nanoseconds passed_{0};
};

// A file provider that can be revoked and slow down to nothing.
class BreakableProvider final : public keys::Provider {
 public:
  explicit BreakableProvider(std::filesystem::path file)
      : real_(must(keys::FileProvider::make(std::move(file), KeyRing::fixed_key()))) {}
  awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override {
    if (broken) co_return fail(*broken, "planted: the key at the top cannot be had");
    co_return co_await real_.wrap(std::move(purpose), std::move(key));
  }
  awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override {
    ++calls;
    if (broken) co_return fail(*broken, "planted: the key at the top cannot be had");
    co_return co_await real_.unwrap(std::move(purpose), std::move(wrapped));
  }
  std::string describe() const override { return "planted"; }
  std::optional<Errc> broken;
  int calls = 0;

 private:
  keys::FileProvider real_;
};

// A job with data and words, as it lies in the database.
struct KeptJob {
  OrgId org;
  JobId job;
  Bytes trigger;  // sealed
  Bytes words;
};

struct KeysWorld {
  explicit KeysWorld(const asio::any_io_executor& executor);

  awaitable<OrgId> settle(std::string name);
  // Started now.
  awaitable<KeptJob> start(OrgId org, domain::JobRetention retention = {});
  awaitable<void> finish(KeptJob job);
  awaitable<std::string> read(KeptJob job);   // its data: "data", or the error's code
  awaitable<std::string> words(KeptJob job);  // the same of its words
  awaitable<keys::Shredder::Tally> shred();
  WallTime true_time() const { return clock.wall() - clock.jump; }

  TempDir folder;
  MovedClock clock;  // its jumps are not believed
  keys::SoundClock sound{clock, [this] { return std::optional(true_time()); }};
  BreakableProvider provider{folder / "master.key"};
  std::unique_ptr<store::SqliteStore> store;
  store::Stores stores;
  KeyRing ring;
  std::string lines;
  struct Sink final : LogSink {
    explicit Sink(std::string& to) : text(to) {}
    void write(std::string_view line) override { text.append(line).append("\n"); }
    std::string& text;
  } sink{lines};
  Log log{sink, clock, LogLevel::debug};
  Metrics metrics;
  keys::Shredder shredder;

 private:
  std::map<OrgId, store::Job> models_;
};

}  // namespace sallyport::test
