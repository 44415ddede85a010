#include "relay/keys/backups.h"

#include "relay/keys/private_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace sallyport::keys {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUnfinished = "keys.db.new";

}  // namespace

asio::awaitable<void> Backups::run() {
  running_ = true;
  for (;;) {
    wanted_.clear();
    const bool done = co_await make_and_tell();
    tried_.set();
    if (wanted_.is_set()) continue;
    do {
      co_await wanted_.wait_until(std::chrono::steady_clock::now() +
                                  (done ? terms_.every : std::chrono::milliseconds(kRetry)));
    } while (!wanted_.is_set() && done && co_await is_current());
  }
}

asio::awaitable<bool> Backups::catch_up() {
  if (!running_) co_return false;
  const auto call = ++calls_;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  wanted_.set();
  while (tried_call_ < call && std::chrono::steady_clock::now() < deadline) {
    tried_.clear();
    co_await tried_.wait_until(deadline);
  }
  co_return served_ >= call;
}

asio::awaitable<bool> Backups::make_and_tell() {
  const auto calls = calls_;
  const auto made = co_await make();
  tried_call_ = calls;
  if (made) {
    served_ = calls;
    parts_.log.debug("keys.backup_made", {{"epoch", made->epoch}});
  } else {
    parts_.log.error("keys.backup_failed", {{"reason", made.error().message}});
  }
  co_return made.has_value();
}

asio::awaitable<Result<Backup>> Backups::make() {
  const auto alone = to_be_alone_;  // before: what is asked for meanwhile needs another copy
  SP_CO_CHECK(expect_private_folder(terms_.folder));
  SP_CO_TRY(auto before, all());
  const auto fresh = terms_.folder / kUnfinished;
  SP_CO_CHECK(co_await parts_.copies.discard(fresh));
  SP_CO_TRY(version_, co_await parts_.copies.version());  // before: whatever is written meanwhile counts as later
  SP_CO_TRY(const auto epoch, co_await parts_.copies.copy_to(fresh));
  Backup made{epoch, parts_.believed().value_or(parts_.clock.wall())};
  const auto newest = std::ranges::max_element(before);
  if (newest != before.end() && newest->epoch == epoch)
    made.at = std::max(made.at, newest->at + std::chrono::milliseconds(1));
  SP_CO_CHECK(put_in_place(fresh, terms_.folder / backup_name(made)));
  tell_current();
  SP_CO_CHECK(co_await tidy(std::move(before), made, alone));
  co_return made;
}

asio::awaitable<Result<void>> Backups::tidy(std::vector<Backup> before, Backup made, std::uint64_t alone) {
  auto gone = before;
  if (was_alone_ == alone) {
    const auto now = parts_.believed();
    if (!now) co_return Result<void>();
    before.push_back(made);
    gone = superfluous(std::move(before), *now, terms_.keep);
  }
  for (const auto& one : gone) SP_CO_CHECK(co_await parts_.copies.discard(terms_.folder / backup_name(one)));
  was_alone_ = alone;
  co_return Result<void>();
}

asio::awaitable<Result<void>> Backups::renew() {
  const auto wanted = ++to_be_alone_;
  co_await catch_up();
  if (was_alone_ >= wanted) co_return Result<void>();
  co_return fail(Errc::unavailable,
                 "older backups of keys.db are still there: the relay tries again (keys.backup_failed in its log)");
}

asio::awaitable<Result<void>> Backups::end_before(std::uint64_t epoch) {
  SP_CO_TRY(const auto there, all());
  if (std::ranges::none_of(there, [&](const Backup& one) { return one.epoch < epoch; })) co_return Result<void>();
  co_return co_await renew();
}

asio::awaitable<bool> Backups::is_current() {
  const auto version = co_await parts_.copies.version();
  const bool current = version && *version == version_;
  if (current) tell_current();
  co_return current;
}

Result<std::vector<Backup>> Backups::all() const {
  std::vector<Backup> found;
  std::error_code problem;
  for (fs::directory_iterator file(terms_.folder, problem), end; !problem && file != end; file.increment(problem)) {
    if (const auto one = parse_backup_name(file->path().filename().string())) found.push_back(*one);
  }
  if (problem) return fail(Errc::unavailable, fmt::format("{}: {}", terms_.folder.string(), problem.message()));
  return found;
}

void Backups::tell_current() {
  parts_.metrics
      .gauge("sallyport_key_backup_current_seconds", "Unix time at which the newest backup of keys.db held all of it.")
      .set(std::chrono::floor<std::chrono::seconds>(parts_.clock.wall()).time_since_epoch().count());
}

}  // namespace sallyport::keys
