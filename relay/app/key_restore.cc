#include "relay/app/key_restore.h"

#include "relay/app/data_lock.h"
#include "relay/app/data_owner.h"
#include "relay/app/key_provider.h"
#include "relay/app/key_ring.h"
#include "relay/keys/backup_shelf.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/known_keys.h"
#include "relay/keys/private_file.h"
#include "relay/store/sqlite/hour_census.h"
#include "relay/store/sqlite/witness_census.h"
#include "shared/async/run.h"
#include "shared/base/text.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <system_error>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
using boost::asio::awaitable;

constexpr std::string_view kLogs[] = {"-wal", "-shm", "-journal"};

struct Found {
  std::uint64_t epoch = 0;                   // of the backup
  std::optional<std::uint64_t> anchor = {};  // the newest of the anchor's; none: there is no anchor
  bool opens = false;                        // the anchor opens what is sealed under it
};

struct Missing {
  std::size_t hours = 0;
  std::int64_t jobs = 0;
  store::Hour first = 0, last = 0;
};

// Standing keys that relay.db says there must be, and the backup does not have.
struct Lost {
  std::vector<store::TenantKeyPlace> versions;  // of organisations' keys; of OrgId(): of the global key
  std::size_t attached = 0;                     // organisations whose own key that is
  std::size_t returned = 0;                     // no loss: organisations whose own key is in it and was detached since

  bool any() const { return !versions.empty() || attached > 0; }
};

// A copy to work on: the backup itself is never written to.
Result<void> copy_backup(const fs::path& backup, const fs::path& work) {
  std::error_code problem;
  for (const auto* log : {"", "-wal", "-shm", "-journal"}) fs::remove(work.string() + log, problem);
  fs::copy_file(backup, work, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("copying {}: {}", backup.string(), problem.message()));
  fs::permissions(work, fs::perms::owner_read | fs::perms::owner_write, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("{}: {}", work.string(), problem.message()));
  return {};
}

awaitable<Result<Found>> compare(store::SqliteKeyStore& copy, const DataDirectory& data) {
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

awaitable<Result<Missing>> missing_hours(store::SqliteKeyStore& copy, std::vector<store::NeededHour> needed) {
  Missing missing;
  for (auto& one : needed) {
    SP_CO_TRY(const auto key, co_await copy.keys().hour_key(std::move(one.org), std::move(one.lane), one.hour));
    if (key) continue;
    if (missing.hours++ == 0) missing.first = one.hour;
    missing.last = one.hour;
    missing.jobs += one.jobs;
  }
  co_return missing;
}

std::uint32_t newest_of(const std::vector<store::KeyVersion>& keys) { return keys.empty() ? 0 : keys.back().version; }

awaitable<Result<std::uint32_t>> newest_in(store::KeyStore& copy, OrgId org) {
  if (org.value.empty()) {
    SP_CO_TRY(const auto globals, co_await copy.global_keys());
    co_return newest_of(globals);
  }
  SP_CO_TRY(const auto keys, co_await copy.tenant_keys(std::move(org)));
  co_return newest_of(keys);
}

// Keys of an erased organisation are missed by nobody.
awaitable<Result<Lost>> lost_keys(store::KeyStore& copy, std::vector<store::WitnessedKeys> needed) {
  Lost lost;
  for (auto& [org, witness] : needed) {
    SP_CO_TRY(const auto erased, co_await copy.erased(org));
    if (erased) continue;
    SP_CO_TRY(const auto newest, co_await newest_in(copy, org));
    SP_CO_TRY(const auto given_up, co_await copy.given_up(org));
    SP_CO_TRY(const auto own, co_await copy.own_key(org));
    SP_CO_TRY(const auto last_own, co_await copy.last_own_key(org));
    const auto attached = own ? own->version : 0;
    if (keys::misses_attachment(witness, last_own)) ++lost.attached;
    if (witness.attached.version == 0 && attached > 0 && attached <= witness.last_attached) ++lost.returned;
    if (std::max(newest, given_up) < witness.version) lost.versions.push_back({std::move(org), witness.version});
  }
  co_return lost;
}

std::string hour_text(store::Hour hour) { return rfc3339(WallTime(std::chrono::hours(hour))).substr(0, 16) + "Z"; }

std::string lost_text(const Result<Missing>& missing) {
  if (!missing) return fmt::format("What cannot be read was not counted: {}.\n", missing.error().message);
  if (missing->hours == 0) return "";
  return fmt::format(
      "{} hours' keys that relay.db needs are not in it, from {} to {}: data of {} keys of jobs cannot be "
      "read, for good.\n",
      missing->hours, hour_text(missing->first), hour_text(missing->last), missing->jobs);
}

std::string lost_text(const Result<Lost>& lost) {
  if (!lost) return fmt::format("Which standing keys are missing is not known: {}.\n", lost.error().message);
  std::string text;
  if (!lost->versions.empty()) {
    text += fmt::format(
        "The newest version of {} keys (of organisations, or the global one) is not in it: what was sealed under these "
        "versions cannot be read, for good. New versions are made.\n",
        lost->versions.size());
  }
  if (lost->attached > 0) {
    text += fmt::format(
        "The own keys of {} organisations, attached since then, are not in it: nothing of these is read or written "
        "until their owners attach a key again, or detach.\n",
        lost->attached);
  }
  if (lost->returned > 0) {
    text += fmt::format(
        "The own keys of {} organisations, detached since then, are attached in it: they are needed again, until their "
        "owners detach them once more.\n",
        lost->returned);
  }
  return text;
}

// The backup's copy as it will be used. How it compares, and what is missing of what relay.db needs.
struct Prepared {
  Found found;
  Result<Missing> missing;
  Result<Lost> lost;
};

std::string lost_text(const Prepared& prepared) {
  auto text = lost_text(prepared.missing) + lost_text(prepared.lost);
  const bool whole = prepared.missing && prepared.missing->hours == 0 && prepared.lost && !prepared.lost->any();
  return whole ? "Every key that relay.db needs is in it.\n" + text : text;
}

std::unexpected<Error> refused(const fs::path& backup, const Prepared& prepared) {
  const auto& found = prepared.found;
  auto why = fmt::format("{} is of epoch {}", backup.string(), found.epoch);
  if (!found.opens) {
    why += fmt::format(", and {}: nothing of jobs that was sealed so far could be read, only standing fields",
                       found.anchor ? fmt::format("the anchor is of epoch {}", *found.anchor) : "there is no anchor");
  }
  return fail(Errc::conflict, fmt::format("{}. {}Name a newer backup, or say --accept-loss. Nothing was changed", why,
                                          lost_text(prepared)));
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

// Of all that it needs, none: what a backup that the anchor does not open amounts to.
Missing all_of(const std::vector<store::NeededHour>& needed) {
  Missing missing{.hours = needed.size()};
  if (needed.empty()) return missing;
  missing.first = needed.front().hour;
  missing.last = needed.back().hour;
  for (const auto& one : needed) missing.jobs += one.jobs;
  return missing;
}

awaitable<Result<Prepared>> look_at(store::SqliteKeyStore& copy, const DataDirectory& data) {
  SP_CO_TRY(const auto found, co_await compare(copy, data));
  Prepared prepared{found, Missing{}, Lost{}};
  auto hours = store::count_needed_hours(data.database());
  if (!hours) {
    prepared.missing = std::unexpected(std::move(hours).error());
  } else if (!found.opens) {
    prepared.missing = all_of(*hours);
  } else {
    prepared.missing = co_await missing_hours(copy, *std::move(hours));
  }
  auto needed = store::read_key_witnesses(data.database());
  prepared.lost = std::unexpected(needed ? Error{} : needed.error());
  if (needed) prepared.lost = co_await lost_keys(copy.keys(), *std::move(needed));
  co_return prepared;
}

awaitable<Result<Prepared>> prepare(store::SqliteKeyStore& copy, DataDirectory data, fs::path backup, Loss loss,
                                    keys::Provider& provider) {
  if (auto own = co_await expect_own(copy, provider); !own)
    co_return in_context(backup.string(), std::move(own).error());
  SP_CO_TRY(auto prepared, co_await look_at(copy, data));
  const bool loses = !prepared.found.opens || (prepared.lost && prepared.lost->any());
  if (loses && loss == Loss::refused) co_return refused(backup, prepared);
  if (!prepared.found.opens) {
    const auto epoch = prepared.found.anchor.value_or(prepared.found.epoch + 1);
    SP_CO_TRY([[maybe_unused]] const auto gone, co_await copy.begin_lanes_anew(epoch));
  }
  if (prepared.lost) SP_CO_CHECK(co_await copy.give_up(prepared.lost->versions));
  co_return prepared;
}

// Opens the copy as the relay would, and closes it.
Result<Prepared> open_and_prepare(const DataDirectory& data, const fs::path& backup, const fs::path& work, Loss loss,
                                  keys::Provider& provider) {
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  const auto copy = store::SqliteKeyStore::open({.file = work, .when_absent = store::WhenAbsent::refuse});
  if (!copy && copy.error().code == Errc::internal)
    return fail(Errc::invalid, fmt::format("{}: no backup of keys.db, or a damaged one", backup.string()));
  if (!copy) return in_context(backup.string(), copy.error());
  return run_to_end(loop, prepare(**copy, data, backup, loss, provider), "preparing the backup");
}

}  // namespace

Result<fs::path> newest_backup(const fs::path& folder) {
  std::optional<keys::Backup> newest;
  std::error_code problem;
  for (fs::directory_iterator file(folder, problem), end; !problem && file != end; file.increment(problem)) {
    const auto one = keys::parse_backup_name(file->path().filename().string());
    if (one && (!newest || *one > *newest)) newest = one;
  }
  if (!newest) return fail(Errc::not_found, fmt::format("no backup of keys.db is in {}", folder.string()));
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
  SP_TRY(const auto provider, make_provider(data, settings.keys, clock));
  auto from = backup;
  if (from.empty()) {
    SP_TRY(from, newest_backup(key_backup_folder(data, settings)));
  }
  SP_CHECK(expect_no_replaced(data));
  const fs::path work = restored(data);
  SP_CHECK(copy_backup(from, work));
  auto prepared = open_and_prepare(data, from, work, loss, *provider);
  if (!prepared) {
    std::error_code ignored;
    for (const auto* log : {"", "-wal", "-shm"}) fs::remove(work.string() + log, ignored);
    return std::unexpected(std::move(prepared).error());
  }
  const auto& found = prepared->found;
  SP_CHECK(keep_present(data));
  if (!found.anchor) SP_CHECK(new_anchor(data, found.epoch + 1));
  SP_CHECK(keys::put_in_place(work, data.key_database()));
  return fmt::format("keys.db is {} now{}.\n{}{}", from.string(),
                     found.opens ? "" : ", without the keys of hours, which the anchor does not open",
                     lost_text(*prepared), kept_text(data));
}

}  // namespace sallyport::app
