#include "relay/keys/custodian.h"

#include <algorithm>
#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kAtOnce = 100;
constexpr std::size_t kMostCounted = 1'000;
constexpr std::chrono::seconds kPause{60};
constexpr std::chrono::days kDay{1};

std::vector<VersionFacts> facts_of(const std::vector<store::KeyVersion>& versions) {
  std::vector<VersionFacts> facts;
  facts.reserve(versions.size());
  for (const auto& key : versions) facts.push_back({key.version, key.under, key.created_at});
  return facts;
}

}  // namespace

Custodian::Custodian(const asio::any_io_executor& executor, Parts parts)
    : parts_(std::move(parts)),
      work_(executor),
      waiting_(parts_.metrics.gauge("sallyport_organisation_keys_waiting",
                                    "Versions of organisations' keys that are still under an older global key.")) {}

asio::awaitable<Result<OrganisationKeys>> Custodian::of_organisation(OrgId org) {
  SP_CO_TRY(const auto versions, co_await parts_.store.tenant_keys(org));
  SP_CO_TRY(auto lanes, co_await parts_.store.lanes_of(org));
  OrganisationKeys keys{
      .versions = facts_of(versions), .lanes = std::move(lanes), .unavailable = {}, .own = parts_.own.facts(org)};
  if (const auto usable = co_await parts_.keys.expect_usable(org); !usable) keys.unavailable = usable.error().message;
  if (parts_.resealer == nullptr) co_return keys;
  SP_CO_TRY(keys.waiting, co_await parts_.resealer->records_waiting(std::move(org)));
  co_return keys;
}

asio::awaitable<Result<DeploymentKeys>> Custodian::of_deployment() {
  SP_CO_TRY(const auto versions, co_await parts_.store.global_keys());
  SP_CO_TRY(const auto epoch, co_await parts_.store.epoch());
  SP_CO_TRY(const auto waiting, co_await count_waiting());
  DeploymentKeys keys{.provider = parts_.provider.describe(),
                      .unavailable = co_await master_key_away(),
                      .versions = facts_of(versions),
                      .epoch = epoch,
                      .waiting = waiting};
  if (parts_.resealer == nullptr) co_return keys;
  SP_CO_TRY(keys.to_reseal, co_await parts_.resealer->organisations_waiting());
  co_return keys;
}

asio::awaitable<std::optional<std::string>> Custodian::master_key_away() {
  const auto usable = co_await parts_.keys.expect_usable(OrgId());
  if (usable) co_return std::nullopt;
  const bool is_known = parts_.trouble != nullptr && !parts_.trouble->last().empty();
  co_return is_known ? parts_.trouble->last() : usable.error().message;
}

asio::awaitable<Result<std::uint32_t>> Custodian::rotate_deployment() {
  auto version = co_await parts_.keys.rotate_global();
  if (version) parts_.log.info("keys.rotated", {{"global_version", *version}, {"reason", "asked"}});
  work_.set();
  co_return version;
}

asio::awaitable<Result<std::uint32_t>> Custodian::rotate_organisation(OrgId org) {
  auto version = co_await parts_.keys.rotate_tenant(org);
  if (version) parts_.log.info("keys.rotated", {{"org", org.value}, {"version", *version}, {"reason", "asked"}});
  work_.set();
  co_return version;
}

asio::awaitable<void> Custodian::run() {
  for (;;) {
    work_.clear();
    auto more = co_await look();
    if (!more && parts_.reserve != nullptr && parts_.reserve->release()) more = co_await look();
    const auto trouble = more ? std::string() : more.error().message;
    const bool is_news = std::exchange(told_, trouble) != trouble;
    if (!more && is_news) parts_.log.error("keys.not_tended", {{"reason", trouble}});
    if (more.value_or(false)) continue;
    co_await work_.wait_until(std::chrono::steady_clock::now() + kPause);
  }
}

asio::awaitable<Result<bool>> Custodian::look() {
  SP_CO_CHECK(co_await mind_age());
  SP_CO_TRY(auto done, co_await parts_.keys.rewrap_tenants(kAtOnce, std::exchange(rewrapped_to_, {})));
  if (done.keys > 0) parts_.log.info("keys.rewrapped", {{"organisations", done.keys}});
  if (done.damaged > 0) parts_.log.error("keys.not_rewrapped", {{"damaged", done.damaged}});
  SP_CO_CHECK(co_await parts_.own.reseal_credentials());
  bool more = done.next.has_value();
  if (more) rewrapped_to_ = *std::move(done.next);
  if (parts_.resealer != nullptr) {
    SP_CO_TRY(const bool more_records, co_await parts_.resealer->look());
    more = more || more_records;
  }
  SP_CO_CHECK(co_await count_waiting());
  co_return more;
}

asio::awaitable<Result<std::size_t>> Custodian::count_waiting() {
  SP_CO_TRY(const auto versions, co_await parts_.store.global_keys());
  const auto newest = versions.empty() ? 0 : versions.back().version;
  SP_CO_TRY(const auto waiting, co_await parts_.store.tenant_keys_before(newest, kMostCounted));
  waiting_.set(static_cast<std::int64_t>(waiting.size()));
  co_return waiting.size();
}

asio::awaitable<Result<void>> Custodian::mind_age() {
  SP_CO_TRY(const auto versions, co_await parts_.store.global_keys());
  if (versions.empty()) co_return Result<void>();
  const auto now = parts_.believed();
  if (!now) co_return Result<void>();
  const auto made_at = versions.back().created_at;
  const bool is_strange = made_at > *now + kDay;  // by a clock that was ahead: how old it is nobody knows
  const auto age = is_strange ? std::chrono::milliseconds(kGlobalKeyLife) : *now - made_at;
  const auto days = std::chrono::floor<std::chrono::days>(age).count();
  parts_.metrics.gauge("sallyport_global_key_age_days", "Days since the newest version of the global key was made.")
      .set(days);
  if (age >= kGlobalKeyLife) {
    SP_CO_TRY(const auto version, co_await parts_.keys.rotate_global());
    parts_.log.info("keys.rotated", {{"global_version", version}, {"reason", "age"}});
  } else if (age >= kGlobalKeyAlarm && told_days_ != days) {
    parts_.log.warn("keys.rotation_due", {{"age_days", days}, {"at_days", std::int64_t{kGlobalKeyLife.count()}}});
    told_days_ = days;
  }
  co_return Result<void>();
}

}  // namespace sallyport::keys
