#include "relay/app/init.h"

#include "relay/api/api_token.h"
#include "relay/audit/audit.h"
#include "relay/identity/deployment.h"
#include "relay/keys/master_key.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <fstream>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
constexpr auto kTokenLife = std::chrono::hours(24 * 90);

Result<void> make_private_directory(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (!problem) fs::permissions(path, fs::perms::owner_all, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("cannot make {}: {}", path.string(), problem.message()));
  return {};
}

std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

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

Result<Secret> make_database(const InitOrder& order, const Clock& clock) {
  SP_TRY(auto store, store::SqliteStore::open({.file = order.data.database()}));
  boost::asio::io_context loop(1);
  Result<Secret> token = fail(Errc::internal, "the database was not set up");
  boost::asio::co_spawn(loop, make_owner(store->stores(), order, clock),
                        [&](std::exception_ptr fault, Result<Secret> made) {
                          if (!fault) token = std::move(made);
                        });
  loop.run();
  return token;
}

}  // namespace

Result<Secret> init(const InitOrder& order, const Clock& clock) {
  const auto& data = order.data;
  if (fs::exists(data.settings()) || fs::exists(data.database())) {
    return fail(Errc::conflict, fmt::format("{} holds a relay already; nothing was changed", data.root.string()));
  }
  SP_CHECK(make_private_directory(data.root));
  SP_CHECK(make_private_directory(data.master_key().parent_path()));
  SP_CHECK(make_private_directory(data.deployment()));
  SP_CHECK(keys::write_key_file(data.master_key(), keys::new_master_key()));
  SP_TRY(const auto deployment,
         identity::create_deployment(data.deployment(), {order.trust_domain, server_names(order)}, clock));
  SP_TRY(auto token, make_database(order, clock));
  std::ofstream settings(data.settings(), std::ios::binary);
  settings << settings_text(order.settings);
  if (!settings.flush()) return fail(Errc::unavailable, fmt::format("cannot write {}", data.settings().string()));
  return token;
}

}  // namespace sallyport::app
