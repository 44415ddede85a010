#include "relay/app/key_restore.h"

#include "relay/app/data_lock.h"
#include "relay/app/data_owner.h"
#include "relay/app/key_losses.h"
#include "relay/app/key_provider.h"
#include "relay/app/key_ring.h"
#include "relay/keys/backup_shelf.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/private_file.h"
#include "shared/async/run.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <optional>
#include <system_error>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
using boost::asio::awaitable;

constexpr std::string_view kLogs[] = {"-wal", "-shm", "-journal"};

// A keys.db, beside the anchor and relay.db as they are.
struct Found {
  std::uint64_t epoch = 0;                   // of the keys.db
  std::optional<std::uint64_t> anchor = {};  // the newest of the anchor's; none: there is no anchor, or a damaged one
  bool opens = false;                        // the anchor opens what is sealed under it
  Result<KeyLosses> losses = {};             // an error: what is lost cannot be known

  bool loses() const { return !opens || (losses && losses->lacks_standing()); }
};

void remove_copy(const fs::path& work) {
  std::error_code ignored;
  for (const auto log : kLogs) fs::remove(work.string() + std::string(log), ignored);
  fs::remove(work, ignored);
}

// A copy to work on: the backup itself is never written to.
Result<void> copy_backup(const fs::path& backup, const fs::path& work) {
  std::error_code problem;
  if (!fs::exists(backup, problem))
    return fail(Errc::not_found, fmt::format("{}: there is no such backup", backup.string()));
  remove_copy(work);
  fs::copy_file(backup, work, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("copying {}: {}", backup.string(), problem.message()));
  fs::permissions(work, fs::perms::owner_read | fs::perms::owner_write, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("{}: {}", work.string(), problem.message()));
  return {};
}

awaitable<Result<Found>> compare(store::SqliteKeyStore& copy, DataDirectory data) {
  SP_CO_TRY(const auto memory, keys::LockedMemory::make());
  Found found{.epoch = copy.epoch_at_open()};
  auto slots = keys::Anchor::look(data.anchor(), *memory);
  if (!slots && slots.error().code != Errc::not_found) co_return std::unexpected(std::move(slots).error());
  if (!slots || slots->empty()) co_return found;
  found.anchor = slots->back().epoch;
  const auto own = std::ranges::find(*slots, found.epoch, &keys::Anchor::Slot::epoch);
  if (own == slots->end()) co_return found;
  SP_CO_TRY(found.opens, co_await opens_ratchets(copy.keys(), *memory, own->key));
  co_return found;
}

// The master key that the settings name must have wrapped it: else it is of another deployment.
awaitable<Result<void>> expect_own(store::SqliteKeyStore& copy, keys::Provider& provider) {
  SP_CO_CHECK(co_await copy.check());
  SP_CO_TRY(auto globals, co_await copy.keys().global_keys());
  if (globals.empty()) co_return fail(Errc::invalid, "no global key is in it");
  auto plain = co_await provider.unwrap(keys::global_name(globals.back().version), std::move(globals.back().wrapped));
  if (!plain) co_return std::unexpected(std::move(plain).error());
  co_return Result<void>();
}

std::string losses_text(const Found& found) {
  if (!found.losses) return fmt::format("What cannot be read is not known: {}.\n", found.losses.error().message);
  return found.losses->none() ? "Every key that relay.db needs is in it.\n" + text_of(*found.losses)
                              : text_of(*found.losses);
}

std::string anchor_text(const DataDirectory& data, const Found& found) {
  if (found.anchor) return fmt::format("the anchor is of epoch {}", *found.anchor);
  std::error_code problem;
  return fs::exists(data.anchor(), problem) ? "the anchor is damaged" : "there is no anchor";
}

std::unexpected<Error> refused(const DataDirectory& data, const fs::path& backup, const Found& found, bool needless) {
  auto why = fmt::format("{} is of epoch {}", backup.string(), found.epoch);
  if (!found.opens) {
    why += fmt::format(", and {}: nothing of jobs that was sealed so far could be read, only standing fields",
                       anchor_text(data, found));
  }
  why += ". " + losses_text(found);
  why += needless ? "keys.db, as it is, has every key that relay.db needs: nothing has to be restored"
                  : "Name a newer backup, or say --accept-loss";
  return fail(Errc::conflict, why + ". Nothing was changed");
}

fs::path replaced(const DataDirectory& data) { return data.key_database().string() + ".replaced"; }
fs::path restored(const DataDirectory& data) { return data.key_database().string() + ".restored"; }

Result<void> expect_no_replaced(const DataDirectory& data) {
  std::error_code problem;
  if (!fs::exists(data.key_database(), problem) || !fs::exists(replaced(data), problem)) return {};
  return fail(Errc::conflict, fmt::format("{} is there from an earlier restore: move it away, or remove it when it is "
                                          "not needed any more",
                                          replaced(data).string()));
}

// The database first: without it no relay starts, and none may start on it without its logs. A log that was left alone
// must not be taken for one of what comes in its place.
Result<void> keep_present(const DataDirectory& data) {
  const auto present = data.key_database();
  std::error_code problem;
  const bool is_there = fs::exists(present, problem);  // else lost, or an earlier try was cut short here
  const auto kept = replaced(data);
  if (is_there) SP_CHECK(keys::put_in_place(present, kept));
  for (const auto log : kLogs) {
    const fs::path from = present.string() + std::string(log);
    if (fs::exists(from, problem)) SP_CHECK(keys::put_in_place(from, kept.string() + std::string(log)));
  }
  return {};
}

std::string kept_text(const DataDirectory& data) {
  std::error_code problem;
  if (!fs::exists(replaced(data), problem)) return "";
  return fmt::format("What there was is in {}: remove it when the relay works.\n", replaced(data).string());
}

Result<void> new_anchor(const DataDirectory& data, std::uint64_t epoch) {
  std::error_code problem;
  fs::remove(data.anchor(), problem);
  return keys::Anchor::make(data.anchor(), epoch);
}

awaitable<Result<Found>> look_at(store::SqliteKeyStore& keys, DataDirectory data) {
  SP_CO_TRY(auto found, co_await compare(keys, data));
  found.losses = co_await find_losses(keys.keys(), data.database(), found.opens);
  co_return found;
}

awaitable<Result<Found>> look_if_whole(store::SqliteKeyStore& keys, DataDirectory data) {
  SP_CO_CHECK(co_await keys.check());
  co_return co_await look_at(keys, std::move(data));
}

// What the backup lacks is given up in it, and it tells of that to the relay that starts on it.
awaitable<Result<void>> give_up(store::SqliteKeyStore& copy, const Found& found, fs::path backup) {
  if (!found.opens) {
    const auto epoch = found.anchor.value_or(found.epoch + 1);
    SP_CO_TRY([[maybe_unused]] const auto gone, co_await copy.begin_lanes_anew(epoch));
  }
  const auto losses = found.losses.value_or(KeyLosses());
  SP_CO_CHECK(co_await copy.give_up(losses.versions(), losses.lost_hours));
  co_return co_await copy.add_restore_notes(notes_of(losses, backup));
}

awaitable<Result<Found>> look_and_give_up(store::SqliteKeyStore& copy, DataDirectory data, fs::path backup, Loss loss,
                                          keys::Provider& provider) {
  if (auto own = co_await expect_own(copy, provider); !own)
    co_return in_context(backup.string(), std::move(own).error());
  SP_CO_TRY(auto found, co_await look_at(copy, std::move(data)));
  if (!found.loses() || loss == Loss::accepted) SP_CO_CHECK(co_await give_up(copy, found, std::move(backup)));
  co_return found;
}

// Runs `look(store)` on a copy of a keys.db, which it opens as the relay would, and closes it.
template <class Look>
Result<Found> with_copy(const fs::path& work, const fs::path& of, Look look) {
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  const auto copy = store::SqliteKeyStore::open({.file = work, .when_absent = store::WhenAbsent::refuse});
  if (!copy && copy.error().code != Errc::unavailable)
    return fail(Errc::invalid, fmt::format("{}: no backup of keys.db, or a damaged one", of.string()));
  if (!copy) return in_context(of.string(), copy.error());
  return run_to_end(loop, look(**copy), "looking at the backup");
}

// Whether a relay could go on with keys.db as it is, and miss nothing. It is looked at in a copy.
bool needs_no_restore(const DataDirectory& data, const fs::path& work) {
  std::error_code problem;
  const auto log = data.key_database().string() + "-wal";
  if (!copy_backup(data.key_database(), work)) return false;
  if (fs::exists(log, problem)) fs::copy_file(log, work.string() + "-wal", problem);
  if (problem) return false;
  const auto found = with_copy(work, work, [&](auto& keys) { return look_if_whole(keys, data); });
  return found && found->opens && found->losses && found->losses->none();
}

// The backup's copy at `work`, as it will be used.
Result<Found> prepare(const DataDirectory& data, const fs::path& backup, const fs::path& work, Loss loss,
                      keys::Provider& provider) {
  SP_CHECK(copy_backup(backup, work));
  auto found =
      with_copy(work, backup, [&](auto& copy) { return look_and_give_up(copy, data, backup, loss, provider); });
  if (!found || !found->loses() || loss == Loss::accepted) return found;
  return refused(data, backup, *found, needs_no_restore(data, work));
}

}  // namespace

Result<fs::path> newest_backup(const fs::path& folder) {
  std::optional<keys::Backup> newest;
  std::error_code problem;
  for (fs::directory_iterator file(folder, problem), end; !problem && file != end; file.increment(problem)) {
    const auto one = keys::parse_backup_name(file->path().filename().string());
    if (one && (!newest || *one > *newest)) newest = one;
  }
  if (!newest) {
    return fail(Errc::not_found,
                fmt::format("no backup of keys.db is in {}: name one with --backup FILE", folder.string()));
  }
  return folder / keys::backup_name(*newest);
}

std::vector<fs::path> left_by_restore(const DataDirectory& data) {
  std::vector<fs::path> left;
  std::error_code problem;
  for (const auto& copy : {replaced(data), restored(data)}) {
    for (const std::string_view log : {"", "-wal", "-shm", "-journal"}) {
      if (fs::path file = copy.string() + std::string(log); fs::exists(file, problem)) left.push_back(std::move(file));
    }
  }
  return left;
}

Result<std::string> restore_keys(const DataDirectory& data, const fs::path& backup, Loss loss, const Clock& clock) {
  SP_CHECK(expect_relay(data));
  SP_CHECK(check_owner(data));
  SP_TRY(const auto lock, DataLock::take(data));
  SP_TRY(const auto settings, load_settings(data.settings()));
  SP_CHECK(expect_key_folder(data));
  SP_TRY(const auto provider, make_provider(data, settings.keys, clock));
  auto from = backup;
  if (from.empty()) {
    SP_TRY(from, newest_backup(key_backup_folder(data, settings)));
  }
  SP_CHECK(expect_no_replaced(data));
  const fs::path work = restored(data);
  auto found = prepare(data, from, work, loss, *provider);
  if (!found) {
    remove_copy(work);
    return std::unexpected(std::move(found).error());
  }
  SP_CHECK(keep_present(data));
  if (!found->anchor) SP_CHECK(new_anchor(data, found->epoch + 1));
  SP_CHECK(keys::put_in_place(work, data.key_database()));
  return fmt::format("keys.db is {} now{}.\n{}{}", from.string(),
                     found->opens ? "" : ", without the keys of hours, which the anchor does not open",
                     losses_text(*found), kept_text(data));
}

}  // namespace sallyport::app
