#include "agent/connectors/file/file_watch_trigger.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/file/listing.h"
#include "agent/connectors/file/unread_files.h"
#include "agent/connectors/paths.h"
#include "agent/connectors/settle_watch.h"
#include "agent/connectors/translate.h"
#include "agent/platform/fd_io.h"
#include "agent/platform/file_watch.h"
#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sallyport::connectors::file {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

constexpr auto kLongestPause = 5s;
constexpr auto kShortestPause = 100ms;
constexpr auto kRetryPause = 1s;
constexpr int kMostDoublings = 5;  // of kRetryPause: 16 s in the end
constexpr auto kTellPause = 5s;
constexpr std::uint64_t kHashSlice = 64u << 20;
constexpr int kMaxDepth = 32;

// What one recipe watches.
struct Watched {
  std::string connection, path;
  Listing listing;
  std::chrono::milliseconds settle;
};

// Hashes a file in slices, so that a stop does not have to wait for the end of a large one.
struct Hashing {
  platform::Fd file;
  crypto::Sha256 hash;
  std::uint64_t at = 0;
};

StepResult<bool> hash_slice(Hashing& hashing) {
  std::vector<std::byte> buffer(256u << 10);
  for (std::uint64_t done = 0; done < kHashSlice;) {
    SP_TRY(const auto got, to_step(platform::read_at(hashing.file.get(), hashing.at, buffer)));
    if (got == 0) return true;
    hashing.hash.update(std::span(buffer).first(got));
    hashing.at += got;
    done += got;
  }
  return false;
}

std::string natural_key(const Watched& watched, const platform::DirectoryEntry& file) {
  return fmt::format("file:{}:{}:{}:{}:{}", watched.connection, file.name, file.facts.identity, file.facts.mtime_ns,
                     file.facts.size);
}

bool is_final(const StepError& error) { return error.error_class() == "policy" || error.error_class() == "invalid"; }

// One run of the trigger.
class Watching {
 public:
  using Concern = TriggerSource::Concern;

  Watching(Site site, asio::thread_pool& pool, Watched watched, TriggerSink sink, TriggerSource::Trouble trouble)
      : site_(site),
        pool_(pool),
        watched_(std::move(watched)),
        sink_(std::move(sink)),
        trouble_(std::move(trouble)),
        core_(watched_.settle) {}

  asio::awaitable<StepResult<void>> run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!co_await is_cancelled()) {
      auto files = co_await run_blocking(pool_, [this] { return look(); });
      if (!files && is_final(files.error())) co_return std::unexpected(std::move(files).error());
      if (files) {
        co_await serve(*std::move(files));
      } else {
        watch_.reset();
        co_await tell(Concern::waits, files.error().message);
        co_await pause(site_.clock.steady() + kLongestPause);
      }
    }
    co_return StepResult<void>();
  }

 private:
  static asio::awaitable<bool> is_cancelled() {
    co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  }

  StepResult<Found> look() {
    SP_CHECK(to_step(site_.policy.check_action("file.watch@1", watched_.connection)));
    SP_CHECK(to_step(site_.policy.check_directory(watched_.connection, watched_.path)));
    SP_TRY(const auto root, open_root(site_, watched_.connection));
    auto listing = watched_.listing;
    listing.wants = [this](const std::string& path) {
      return site_.policy.check_file(watched_.connection, policy::FileVerb::read, path).has_value();
    };
    return list_files(root, watched_.path, listing);
  }

  asio::awaitable<void> serve(Found found) {
    unread_.keep_only(found.files);
    const auto offered = co_await offer_settled(std::exchange(found.files, {}));
    failures_ = offered ? 0 : std::min(failures_ + 1, kMostDoublings);
    if (offered) {
      co_await tell(Concern::passed_over, passed_over_text(found, unread_, watched_.listing.limit));
    } else {
      co_await tell(Concern::waits, offered.error().message);
    }
    if (offered) co_return co_await pause(core_.next_settling());
    co_await sleep_for(kRetryPause * (1 << (failures_ - 1)));
  }

  // A file that cannot be read is passed over; an event that cannot be made durable is no fault of the file.
  asio::awaitable<StepResult<void>> offer_settled(std::vector<platform::DirectoryEntry> files) {
    for (const auto& file : core_.look(files, site_.clock.steady())) {
      auto digest = co_await digest_of(file);
      if (co_await is_cancelled()) co_return StepResult<void>();
      if (!digest) {
        core_.put_off(file, site_.clock.steady());
        unread_.add(file, std::move(digest).error().message);
        continue;
      }
      unread_.remove(file.name);
      if (digest->empty()) continue;
      auto handle = make_handle(watched_.connection, file.name, file.facts);
      handle.attributes.insert_or_assign(Value("sha256"), Value(*digest));
      TriggerEvent event{Value(ValueMap{{Value("file"), Value(std::move(handle))}}), natural_key(watched_, file)};
      const auto taken = co_await sink_(std::move(event));
      if (!taken) {
        unoffered_ = Unoffered{file, *std::move(digest)};
        co_return taken;
      }
      unoffered_.reset();
      core_.confirm(file);
    }
    co_return StepResult<void>();
  }

  asio::awaitable<StepResult<std::string>> digest_of(platform::DirectoryEntry file) {
    const bool known = unoffered_ && unoffered_->file.name == file.name && unoffered_->file.facts == file.facts;
    if (known) co_return unoffered_->digest;
    co_return co_await hash(std::move(file));
  }

  // Empty when the file is gone or no longer in the state that settled: the next look sees to it.
  asio::awaitable<StepResult<std::string>> hash(platform::DirectoryEntry file) {
    Hashing hashing;
    auto opened = co_await run_blocking(pool_, [&] { return open_for_hash(file, hashing); });
    if (!opened || !*opened) co_return opened ? StepResult<std::string>() : std::unexpected(std::move(opened).error());
    for (;;) {
      auto done = co_await run_blocking(pool_, [&] { return hash_slice(hashing); });
      if (!done) co_return std::unexpected(std::move(done).error());
      if (co_await is_cancelled()) co_return std::string();
      if (*done) break;
    }
    const auto facts = platform::facts_of(hashing.file.get());
    if (!facts || *facts != file.facts) co_return std::string();
    co_return hex(hashing.hash.finish());
  }

  StepResult<bool> open_for_hash(const platform::DirectoryEntry& file, Hashing& hashing) {
    SP_TRY(const auto root, open_root(site_, watched_.connection));
    auto opened = root.open_file(file.name);
    if (!opened && opened.error().code == Errc::not_found) return false;
    SP_TRY(hashing.file, to_step(std::move(opened)));
    SP_TRY(const auto facts, to_step(platform::facts_of(hashing.file.get())));
    return facts == file.facts;
  }

  // Each text once, and not more than one in kTellPause; what is held back then is told by a later look.
  asio::awaitable<void> tell(Concern concern, std::string message) {
    const auto now = site_.clock.steady();
    if (message == told_ || (!message.empty() && now < next_tell_)) co_return;
    if (!message.empty()) next_tell_ = now + kTellPause;
    told_ = message;
    co_await trouble_(concern, std::move(message));
  }

  asio::awaitable<void> pause(SteadyTime until) {
    const auto now = site_.clock.steady();
    const auto end = std::clamp(until, now + kShortestPause,
                                now + std::clamp<SteadyTime::duration>(watched_.settle / 2, 1s, kLongestPause));
    if (!watch_) co_await start_watch();
    if (watch_) {
      co_await watch_->wait_until(end);
      co_await sleep_until(std::min(end, now + kShortestPause));  // a file being written wakes for every write
    } else {
      co_await sleep_until(end);
    }
  }

  // The kernel's hint is a help only: without it the directory is looked at from time to time all the same.
  asio::awaitable<void> start_watch() {
    auto directory = co_await run_blocking(pool_, [this]() -> StepResult<platform::Fd> {
      SP_TRY(const auto root, open_root(site_, watched_.connection));
      return to_step(root.open_directory(watched_.path));
    });
    if (!directory) co_return;
    auto opened = platform::FileWatch::open(co_await asio::this_coro::executor, directory->get());
    if (opened) watch_ = *std::move(opened);
  }

  Site site_;
  asio::thread_pool& pool_;
  Watched watched_;
  TriggerSink sink_;
  TriggerSource::Trouble trouble_;
  SettleWatch core_;
  // The file whose event could not be made durable: it is not read again for the next try.
  struct Unoffered {
    platform::DirectoryEntry file;
    std::string digest;
  };
  std::optional<Unoffered> unoffered_;
  int failures_ = 0;  // in a row, of making an event durable
  std::unique_ptr<platform::FileWatch> watch_;
  UnreadFiles unread_;
  std::string told_;
  SteadyTime next_tell_ = SteadyTime::min();
};

StepResult<Watched> read_spec(const TriggerSpec& spec, std::size_t most) {
  const Arguments arguments(spec.arguments);
  SP_TRY(const auto path, arguments.text("path"));
  SP_TRY(auto clean, path_below_root(spec.connection, path));
  Listing listing{.limit = most, .over = Listing::Over::gives_newest};
  listing.pattern = arguments.text_or("pattern", "*");
  listing.depth = arguments.is_true("recursive") ? kMaxDepth : 0;
  return Watched{spec.connection, std::move(clean), std::move(listing), arguments.duration("settle").value_or(5s)};
}

}  // namespace

asio::awaitable<StepResult<void>> FileWatchTrigger::run(TriggerSpec spec, TriggerSink sink, Trouble trouble) {
  auto watched = read_spec(spec, most_);
  if (!watched) co_return std::unexpected(std::move(watched).error());
  Watching watching(site_, pool_, *std::move(watched), std::move(sink), std::move(trouble));
  co_return co_await watching.run();
}

}  // namespace sallyport::connectors::file
