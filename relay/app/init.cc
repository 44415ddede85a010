#include "relay/app/init.h"

#include "relay/api/api_token.h"
#include "relay/identity/deployment.h"
#include "relay/identity/private_file.h"
#include "relay/keys/master_key.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "shared/crypto/new_id.h"
#include "shared/crypto/spiffe.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
constexpr auto kTokenLife = std::chrono::hours(24 * 90);

std::vector<fs::path> pieces_of(const DataDirectory& data) {
  const auto database = data.database().string();
  return {data.master_key().parent_path(), data.deployment(), database, database + "-wal", database + "-shm"};
}

// A new directory, an empty one, or what an init that did not end has left.
Result<void> clear_ground(const DataDirectory& data) {
  std::error_code problem;
  if (fs::exists(data.settings(), problem)) {
    return fail(Errc::conflict, fmt::format("{} holds a relay already; nothing was changed", data.root.string()));
  }
  const bool unfinished = fs::exists(data.unfinished(), problem);
  const bool empty = !fs::exists(data.root, problem) || fs::is_empty(data.root, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("looking at {}: {}", data.root.string(), problem.message()));
  if (!unfinished && !empty) {
    return fail(Errc::conflict,
                fmt::format("{} is not empty; name a directory of its own; nothing was changed", data.root.string()));
  }
  if (!unfinished) return {};
  for (const auto& piece : pieces_of(data)) fs::remove_all(piece, problem);
  return {};
}

Result<void> make_private_directory(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (!problem) fs::permissions(path, fs::perms::owner_all, problem);
  if (problem) return fail(Errc::unavailable, fmt::format("cannot make {}: {}", path.string(), problem.message()));
  return {};
}

Result<void> check_order(const InitOrder& order) {
  SP_CHECK(check_api_url(order.settings.api_url));
  if (order.organisation.empty() || order.owner_email.find('@') == std::string::npos)
    return fail(Errc::invalid, "an organisation and an owner's mail address are needed");
  if (!crypto::is_trust_domain(order.trust_domain))
    return fail(Errc::invalid, "the trust domain must be a lower-case DNS name");
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
  SP_CO_CHECK(co_await stores.organisations.add(organisation));
  const store::User owner{.id = crypto::new_id<UserId>(clock),
                          .org = organisation.id,
                          .name = order.owner_name,
                          .email = order.owner_email,
                          .role = domain::Role::owner,
                          .platform = domain::PlatformRights::admin,
                          .created_at = now};
  SP_CO_CHECK(co_await stores.users.add(organisation.id, owner));
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
  SP_CO_CHECK(co_await stores.api_tokens.add(organisation.id, std::move(token)));
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

Result<void> init(const InitOrder& order, const Clock& clock, const HandOver& hand_over) {
  const auto& data = order.data;
  SP_CHECK(check_order(order));
  SP_CHECK(clear_ground(data));
  SP_CHECK(make_private_directory(data.root));
  SP_CHECK(identity::replace_file(data.unfinished(), "", identity::Readers::owner));
  SP_CHECK(make_private_directory(data.master_key().parent_path()));
  SP_CHECK(make_private_directory(data.deployment()));
  SP_CHECK(keys::write_key_file(data.master_key(), keys::new_master_key()));
  SP_CHECK(identity::create_deployment(data.deployment(), {order.trust_domain, server_names(order)}, clock));
  SP_TRY(const auto token, make_database(order, clock));
  SP_CHECK(hand_over(token));
  SP_CHECK(identity::replace_file(data.settings(), settings_text(order.settings), identity::Readers::owner));
  std::error_code ignored;
  fs::remove(data.unfinished(), ignored);
  return {};
}

}  // namespace sallyport::app
