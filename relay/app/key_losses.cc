#include "relay/app/key_losses.h"

#include "relay/keys/known_keys.h"
#include "relay/store/sqlite/key_census.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {

constexpr std::size_t kMostNamed = 20;

std::uint32_t newest_of(const std::vector<store::KeyVersion>& keys) { return keys.empty() ? 0 : keys.back().version; }

store::awaitable<Result<std::uint32_t>> newest_in(store::KeyStore& keys, OrgId org) {
  if (org.value.empty()) {
    SP_CO_TRY(const auto globals, co_await keys.global_keys());
    co_return newest_of(globals);
  }
  SP_CO_TRY(const auto versions, co_await keys.tenant_keys(std::move(org)));
  co_return newest_of(versions);
}

// Keys of an erased organisation are missed by nobody.
store::awaitable<Result<void>> add_standing(store::KeyStore& keys, std::vector<store::WitnessedKeys> needed,
                                            KeyLosses& losses) {
  for (const auto& [org, witness] : needed) {
    SP_CO_TRY(const auto erased, co_await keys.erased(org));
    if (erased) continue;
    SP_CO_TRY(const auto newest, co_await newest_in(keys, org));
    SP_CO_TRY(const auto given_up, co_await keys.given_up(org));
    SP_CO_TRY(const auto own, co_await keys.own_key(org));
    SP_CO_TRY(const auto last_own, co_await keys.last_own_key(org));
    const auto attached = own ? own->version : 0;
    if (keys::misses_attachment(witness, last_own)) losses.all[org].own_key = true;
    if (witness.attached.version == 0 && attached > 0 && attached <= witness.last_attached)
      losses.all[org].own_key_returned = true;
    if (std::max(newest, given_up) < witness.version) losses.all[org].version = witness.version;
  }
  co_return Result<void>();
}

store::awaitable<Result<void>> add_hours(store::KeyStore& keys, std::vector<store::NeededHour> needed, bool opens,
                                         KeyLosses& losses) {
  for (auto& [org, lane, hour, jobs] : needed) {
    SP_CO_TRY(const auto key, co_await keys.hour_key(org, lane, hour));
    if (opens && key) continue;
    SP_CO_TRY(const auto erased, co_await keys.erased(org));
    if (erased) continue;
    losses.all[org].hours.add(hour, jobs);
    losses.lost_hours.push_back({std::move(org), std::move(lane), hour});
  }
  co_return Result<void>();
}

std::string hour_text(store::Hour hour) { return rfc3339(WallTime(std::chrono::hours(hour))).substr(0, 16) + "Z"; }

// Who those are for whom `counts` is; "" when it is for none.
template <class Counts>
std::string who(const KeyLosses& losses, Counts counts) {
  std::size_t count = 0;
  std::string names;
  for (const auto& [org, loss] : losses.all) {
    if (!counts(loss) || ++count > kMostNamed) continue;
    if (!names.empty()) names += ", ";
    if (org.value.empty())
      names += "the global key";
    else
      names += loss.name.empty() ? org.value : fmt::format("{} ({})", loss.name, org.value);
  }
  if (count > kMostNamed) names += fmt::format(" and {} more", count - kMostNamed);
  return names;
}

}  // namespace

void KeyLosses::Hours::add(store::Hour hour, std::int64_t of_jobs) {
  first = keys == 0 ? hour : std::min(first, hour);
  last = keys == 0 ? hour : std::max(last, hour);
  ++keys;
  jobs += of_jobs;
}

bool KeyLosses::lacks_standing() const {
  return std::ranges::any_of(all, [](const auto& one) { return one.second.version > 0 || one.second.own_key; });
}

KeyLosses::Hours KeyLosses::hours() const {
  Hours sum;
  for (const auto& [org, loss] : all) {
    if (loss.hours.keys == 0) continue;
    sum.first = sum.keys == 0 ? loss.hours.first : std::min(sum.first, loss.hours.first);
    sum.last = sum.keys == 0 ? loss.hours.last : std::max(sum.last, loss.hours.last);
    sum.keys += loss.hours.keys;
    sum.jobs += loss.hours.jobs;
  }
  return sum;
}

std::vector<store::TenantKeyPlace> KeyLosses::versions() const {
  std::vector<store::TenantKeyPlace> lost;
  for (const auto& [org, loss] : all) {
    if (loss.version > 0) lost.push_back({org, loss.version});
  }
  return lost;
}

store::awaitable<Result<KeyLosses>> find_losses(store::KeyStore& keys, std::filesystem::path relay_database,
                                                bool opens) {
  KeyLosses losses;
  SP_CO_TRY(auto hours, store::count_needed_hours(relay_database));
  SP_CO_CHECK(co_await add_hours(keys, std::move(hours), opens, losses));
  SP_CO_TRY(auto standing, store::read_key_witnesses(relay_database));
  SP_CO_CHECK(co_await add_standing(keys, std::move(standing), losses));
  SP_CO_TRY(const auto names, store::read_organisation_names(relay_database));
  for (auto& [org, loss] : losses.all) {
    if (const auto name = names.find(org); name != names.end()) loss.name = name->second;
  }
  co_return losses;
}

std::string text_of(const KeyLosses& losses) {
  std::string text;
  if (const auto hours = losses.hours(); hours.keys > 0) {
    text += fmt::format(
        "Keys of hours that relay.db needs are not in it ({}, from {} to {}): what jobs left under them ({} keys of "
        "jobs) "
        "cannot be read, for good. Whose: {}.\n",
        hours.keys, hour_text(hours.first), hour_text(hours.last), hours.jobs,
        who(losses, [](const auto& loss) { return loss.hours.keys > 0; }));
  }
  if (const auto names = who(losses, [](const auto& loss) { return loss.version > 0; }); !names.empty()) {
    text += fmt::format(
        "The newest versions of keys are not in it: what was sealed under them cannot be read, for good. New versions "
        "are made. Whose keys: {}.\n",
        names);
  }
  if (const auto names = who(losses, [](const auto& loss) { return loss.own_key; }); !names.empty()) {
    text += fmt::format(
        "Own keys of organisations, attached since then, are not in it: nothing of these is read or written until "
        "their owners attach a key again, or detach: {}.\n",
        names);
  }
  if (const auto names = who(losses, [](const auto& loss) { return loss.own_key_returned; }); !names.empty()) {
    text += fmt::format(
        "Own keys of organisations, detached since then, are attached in it: they are needed again, until their owners "
        "detach them once more (a key that is gone: sallyport keys detach --give-up): {}.\n",
        names);
  }
  return text;
}

std::vector<store::RestoreNote> notes_of(const KeyLosses& losses, const std::filesystem::path& backup) {
  std::vector<store::RestoreNote> notes;
  const auto note = [&](const OrgId& org, const KeyLosses::Hours& hours, std::uint32_t version, ValueMap more) {
    more.emplace(Value("backup"), Value(backup.filename().string()));
    if (version > 0) more.emplace(Value("lost_version"), Value(std::int64_t{version}));
    if (hours.keys > 0) {
      more.emplace(Value("lost_hours"), Value(static_cast<std::int64_t>(hours.keys)));
      more.emplace(Value("first_lost_hour"), Value(hour_text(hours.first)));
      more.emplace(Value("last_lost_hour"), Value(hour_text(hours.last)));
    }
    notes.push_back({.id = 0, .org = org, .detail = to_json(Value(std::move(more)))});
  };
  const auto global = losses.all.find(OrgId());
  const auto concerned = losses.all.size() - (global == losses.all.end() ? 0 : 1);
  note(OrgId(), losses.hours(), global == losses.all.end() ? 0 : global->second.version,
       {{Value("organisations"), Value(static_cast<std::int64_t>(concerned))}});
  for (const auto& [org, loss] : losses.all) {
    if (org.value.empty()) continue;
    ValueMap more;
    if (loss.own_key) more.emplace(Value("own_key"), Value("missing"));
    if (loss.own_key_returned) more.emplace(Value("own_key"), Value("attached again"));
    note(org, loss.hours, loss.version, std::move(more));
  }
  return notes;
}

}  // namespace sallyport::app
