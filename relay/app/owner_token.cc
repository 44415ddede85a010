#include "relay/app/owner_token.h"

#include "relay/api/api_token.h"
#include "relay/app/data_lock.h"
#include "relay/app/data_owner.h"
#include "relay/app/database.h"
#include "relay/audit/audit.h"
#include "shared/async/run.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

namespace sallyport::app {
namespace {

constexpr auto kTokenLife = std::chrono::hours(24 * 90);

bool is_same_address(std::string_view a, std::string_view b) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

struct Found {
  store::Organisation organisation;
  store::User user;
};

store::awaitable<Result<std::vector<store::Organisation>>> organisations_of(store::Stores stores, std::string name) {
  std::vector<store::Organisation> all;
  if (!name.empty()) {
    auto one = co_await stores.organisations.find_by_name(name);
    if (!one) co_return fail(one.error().code, fmt::format("the organisation \"{}\": {}", name, one.error().message));
    all.push_back(*std::move(one));
    co_return all;
  }
  store::PageQuery query;
  do {
    SP_CO_TRY(auto page, co_await stores.organisations.list_all(query));
    std::ranges::move(page.items, std::back_inserter(all));
    query.after = page.next;
  } while (!query.after.empty());
  co_return all;
}

store::awaitable<Result<void>> look_for(store::Stores stores, store::Organisation organisation, std::string email,
                                        std::vector<Found>& found) {
  store::PageQuery query;
  do {
    SP_CO_TRY(auto page, co_await stores.users.list(organisation.id, query));
    for (auto& user : page.items) {
      if (is_same_address(user.email, email)) found.push_back({organisation, std::move(user)});
    }
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

store::awaitable<Result<Found>> find_owner(store::Stores stores, const TokenOrder& order) {
  std::vector<Found> found;
  SP_CO_TRY(const auto organisations, co_await organisations_of(stores, order.organisation));
  for (const auto& organisation : organisations) {
    SP_CO_CHECK(co_await look_for(stores, organisation, order.owner_email, found));
  }
  if (found.empty()) co_return fail(Errc::not_found, fmt::format("there is no user {}", order.owner_email));
  if (found.size() > 1) {
    co_return fail(Errc::invalid, fmt::format("{} is a user of {} organisations: name one with --organisation",
                                              order.owner_email, found.size()));
  }
  const auto& user = found.front().user;
  if (user.role != domain::Role::owner) {
    co_return fail(
        Errc::invalid,
        fmt::format("{} has the role {} in \"{}\", and only an owner gets a token here; an owner can make one for "
                    "them with sallyport token create",
                    user.email, to_string(user.role), found.front().organisation.name));
  }
  co_return std::move(found.front());
}

store::awaitable<Result<Secret>> add_token(store::Stores stores, const TokenOrder& order, const Clock& clock) {
  SP_CO_TRY(const auto owner, co_await find_owner(stores, order));
  const auto id = crypto::new_id<ApiTokenId>(clock);
  auto secret = api::make_token_secret(id);
  const auto now = clock.wall();
  store::ApiToken token{.id = id,
                        .org = owner.organisation.id,
                        .user = owner.user.id,
                        .name = "made on the relay's host",
                        .secret_hash = secret.hash,
                        .scopes = domain::scopes_of(owner.user.role, owner.user.platform),
                        .created_at = now,
                        .expires_at = now + kTokenLife,
                        .revoked_at = std::nullopt,
                        .last_used_at = std::nullopt};
  const Audit audit(stores.audit_log, clock);
  AuditRecord record{.actor = "system", .action = "token.create", .target = "token:" + id.value};
  record.detail.emplace(Value("for_user"), Value(owner.user.id.value));
  auto note = audit.note<>(owner.organisation.id, std::move(record));
  SP_CO_CHECK(co_await stores.api_tokens.add(owner.organisation.id, std::move(token), std::move(note)));
  co_return std::move(secret.text);
}

}  // namespace

Result<Secret> make_owner_token(const TokenOrder& order, const Clock& clock) {
  SP_CHECK(expect_relay(order.data));
  SP_CHECK(check_owner(order.data));
  SP_TRY(const auto lock, DataLock::take(order.data));
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  SP_TRY(auto store, open_database(order.data));
  return run_to_end(loop, add_token(store->stores(), order, clock), "making the token");
}

}  // namespace sallyport::app
