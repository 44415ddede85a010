#include "relay/app/init.h"

#include "relay/api/api_token.h"
#include "relay/app/believed_clock.h"
#include "relay/app/key_ring.h"
#include "relay/app/new_data_directory.h"
#include "relay/app/token_file.h"
#include "relay/audit/audit.h"
#include "relay/identity/deployment.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/async/run.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"
#include "shared/crypto/new_id.h"
#include "shared/crypto/spiffe.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <fstream>

namespace sallyport::app {
namespace {

constexpr std::size_t kMostName = 100;
constexpr auto kTokenLife = std::chrono::hours(24 * 90);

std::vector<std::string> server_names(const InitOrder& order) {
  auto names = order.server_names;
  names.push_back(order.settings.link_address.host);
  names.push_back(host_of(order.settings.api_url));
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

store::awaitable<Result<Secret>> make_owner(store::Stores stores, const InitOrder& order, const Clock& clock) {
  const auto now = clock.wall();
  const store::Organisation organisation{crypto::new_id<OrgId>(clock), order.organisation, now};
  const store::User owner{.id = crypto::new_id<UserId>(clock),
                          .org = organisation.id,
                          .name = order.owner_name,
                          .email = order.owner_email,
                          .role = domain::Role::owner,
                          .platform = domain::PlatformRights::admin,
                          .created_at = now};
  const auto id = crypto::new_id<ApiTokenId>(clock);
  auto secret = api::make_token_secret(id);
  store::ApiToken token{.id = id,
                        .org = organisation.id,
                        .user = owner.id,
                        .name = "first owner token",
                        .secret_hash = secret.hash,
                        .scopes = domain::scopes_of(owner.role, owner.platform),
                        .created_at = now,
                        .expires_at = now + kTokenLife,
                        .revoked_at = std::nullopt,
                        .last_used_at = std::nullopt};
  const Audit audit(stores.audit_log, clock);
  auto note = audit.note<>(
      store::system_ledger(),
      {.actor = "system", .action = "organisation.create", .target = "organisation:" + organisation.id.value});
  SP_CO_CHECK(co_await stores.organisations.found({organisation, owner, std::move(token)}, std::move(note)));
  co_return std::move(secret.text);
}

Result<Secret> make_database(const DataDirectory& data, const InitOrder& order, const Clock& clock) {
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  SP_TRY(auto store, store::SqliteStore::open({.file = data.database()}));
  return run_to_end(loop, make_owner(store->stores(), order, clock), "setting up the database");
}

Result<void> write_settings(const DataDirectory& data, const Settings& settings) {
  std::ofstream out(data.settings(), std::ios::binary);
  out << settings_text(settings);
  if (!out.flush()) return fail(Errc::unavailable, fmt::format("cannot write {}", data.settings().string()));
  return {};
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && is_valid_utf8(text) && utf8_length(text) <= kMostName && !steers_text(text);
}

bool is_email(std::string_view text) {
  const auto at = text.find('@');
  return is_plain_name(text) && text.find(' ') == std::string_view::npos && at != std::string_view::npos && at > 0 &&
         at + 1 < text.size();
}

}  // namespace

Result<void> check(const InitOrder& order) {
  if (!is_plain_name(order.organisation))
    return fail(Errc::invalid, fmt::format("--organisation takes a name of at most {} characters", kMostName));
  if (!is_email(order.owner_email)) return fail(Errc::invalid, "--owner takes an e-mail address");
  if (!crypto::is_trust_domain(order.trust_domain)) {
    return fail(Errc::invalid, fmt::format("--trust-domain takes a lower-case DNS name such as relay.example, not '{}'",
                                           order.trust_domain));
  }
  SP_CHECK(check_listeners(order.settings));
  return check_reachable(order.settings);
}

Result<Secret> init(const InitOrder& order, const Clock& clock) {
  SP_CHECK(check(order));
  SP_TRY(auto fresh, NewDataDirectory::begin(order.data));
  const auto& data = fresh.building();
  SP_CHECK(make_keys(data, clock));
  SP_CHECK(BelievedClock::confirm(data.clock()));
  SP_TRY(const auto deployment,
         identity::create_deployment(data.deployment(), {order.trust_domain, server_names(order)}, clock));
  SP_TRY(auto token, make_database(data, order, clock));
  SP_CHECK(write_token(data.first_token(), token));
  SP_CHECK(write_settings(data, order.settings));
  SP_CHECK(fresh.finish());
  return token;
}

}  // namespace sallyport::app
