#include "relay/keys/resealer.h"

#include "relay/domain/fields.h"

#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kOrganisationsAtOnce = 100;
constexpr std::size_t kRecordsAtOnce = 50;

// Which table and column a field's identity names stands in the classification.
Result<RecordIdentity> identity_in(const OrgId& org, const store::StandingRecord& record) {
  const auto& column = store::standing_columns()[record.at.column];
  const auto* field = domain::find_field(column.table, column.column);
  const auto dot = field == nullptr ? std::string_view::npos : field->record.find('.');
  if (dot == std::string_view::npos) {
    return fail(Errc::internal, std::string(column.table) + ": nobody says under which name it is sealed");
  }
  RecordIdentity identity;
  identity.org = org;
  identity.table = field->record.substr(0, dot);
  identity.column = field->record.substr(dot + 1);
  identity.record = record.record;
  return identity;
}

}  // namespace

asio::awaitable<Result<std::uint32_t>> Resealer::newest_global() {
  SP_CO_TRY(const auto versions, co_await parts_.store.global_keys());
  co_return versions.empty() ? 0 : versions.back().version;
}

asio::awaitable<Result<bool>> Resealer::look() {
  copied_ = false;
  SP_CO_TRY(const auto global, co_await newest_global());
  SP_CO_TRY(const auto batch,
            co_await parts_.store.newest_tenant_keys(std::exchange(looked_to_, {}), kOrganisationsAtOnce));
  for (const auto& [org, version] : batch) {
    const StandingVersions newest{global, version};
    if (is_due(org, newest) && parts_.own.usable(org)) SP_CO_CHECK(co_await tend(org, newest));
  }
  const bool more = batch.size() == kOrganisationsAtOnce;
  if (more) looked_to_ = batch.back().org;
  co_return more;
}

asio::awaitable<Result<void>> Resealer::tend(OrgId org, StandingVersions newest) {
  SP_CO_CHECK(co_await parts_.keys.global(newest.global));  // without it nothing of anybody can be had
  Tally tally;
  SP_CO_CHECK(co_await reseal(org, newest, tally));
  note(org, newest, tally);
  co_return Result<void>();
}

asio::awaitable<Result<void>> Resealer::reseal(OrgId org, StandingVersions newest, Tally& tally) {
  store::StandingPlace after;
  for (;;) {
    SP_CO_TRY(auto found, co_await parts_.records.not_under(org, head_of(newest), after, kRecordsAtOnce));
    if (found.empty()) co_return Result<void>();
    SP_CO_CHECK(co_await expect_copy());
    after = found.back().at;
    SP_CO_TRY(auto anew, co_await sealed_anew(org, newest, std::move(found), tally));
    SP_CO_TRY(const auto stood, co_await parts_.records.reseal(org, std::move(anew)));
    tally.resealed += stood;
  }
}

// Were keys.db lost before its newest keys are in a backup, everything that is under them would be, too.
asio::awaitable<Result<void>> Resealer::expect_copy() {
  if (!copied_ && parts_.copy_keys) copied_ = co_await parts_.copy_keys();
  if (copied_ || !parts_.copy_keys) co_return Result<void>();
  co_return fail(Errc::unavailable,
                 "standing records stay under their older keys until a backup of keys.db has the newest ones "
                 "(keys.backup_failed says why there is none)");
}

asio::awaitable<Result<std::vector<store::ResealedRecord>>> Resealer::sealed_anew(
    OrgId org, StandingVersions newest, std::vector<store::StandingRecord> records, Tally& tally) {
  std::vector<store::ResealedRecord> anew;
  for (auto& record : records) {
    SP_CO_TRY(auto identity, identity_in(org, record));
    auto sealed = co_await parts_.envelope.seal_anew(std::move(identity), record.sealed, newest);
    if (sealed) {
      anew.push_back({std::move(record), *std::move(sealed)});
      continue;
    }
    if (sealed.error().code == Errc::cancelled) co_return std::unexpected(std::move(sealed).error());
    ++(sealed.error().code == Errc::not_found ? tally.gone : tally.failed);
    if (tally.reason.empty()) tally.reason = std::move(sealed).error().message;
  }
  co_return anew;
}

void Resealer::note(const OrgId& org, const StandingVersions& newest, const Tally& tally) {
  const bool again = is_done(org, newest);
  auto& seen = seen_[org];
  seen = {.under = newest, .done = tally.failed == 0};
  if (!again || !seen.done) seen.again = now() + kLateWriters;
  if (tally.resealed > 0) parts_.log.info("keys.resealed", {{"org", org.value}, {"records", tally.resealed}});
  const auto left = tally.failed + (again ? 0 : tally.gone);  // what is gone for good is told of once
  if (left > 0) parts_.log.warn("keys.not_resealed", {{"org", org.value}, {"records", left}, {"reason", tally.reason}});
}

bool Resealer::is_due(const OrgId& org, const StandingVersions& newest) const {
  const auto seen = seen_.find(org);
  if (seen == seen_.end() || seen->second.under != newest) return true;
  const auto& again = seen->second.again;
  return again && *again <= now();
}

bool Resealer::is_done(const OrgId& org, const StandingVersions& newest) const {
  const auto seen = seen_.find(org);
  return seen != seen_.end() && seen->second.under == newest && seen->second.done;
}

asio::awaitable<Result<std::uint64_t>> Resealer::records_waiting(OrgId org) {
  SP_CO_TRY(const auto versions, co_await parts_.store.tenant_keys(org));
  if (versions.empty()) co_return 0;
  SP_CO_TRY(const auto global, co_await newest_global());
  const StandingVersions newest{global, versions.back().version};
  if (is_done(org, newest)) co_return 0;
  co_return co_await parts_.records.count_not_under(org, head_of(newest), kMostCounted);
}

asio::awaitable<Result<bool>> Resealer::has_records_waiting(OrgId org, StandingVersions newest) {
  if (is_done(org, newest)) co_return false;
  SP_CO_TRY(const auto one, co_await parts_.records.count_not_under(std::move(org), head_of(newest), 1));
  co_return one > 0;
}

asio::awaitable<Result<std::size_t>> Resealer::organisations_waiting() {
  SP_CO_TRY(const auto global, co_await newest_global());
  std::size_t waiting = 0;
  OrgId after;
  for (bool more = true; more && waiting < kMostCounted;) {
    SP_CO_TRY(const auto batch, co_await parts_.store.newest_tenant_keys(after, kMostCounted));
    for (const auto& [org, version] : batch) {
      SP_CO_TRY(const bool waits, co_await has_records_waiting(org, {global, version}));
      waiting += waits ? 1 : 0;
    }
    more = batch.size() == kMostCounted;
    if (more) after = batch.back().org;
  }
  co_return std::min(waiting, kMostCounted);
}

}  // namespace sallyport::keys
