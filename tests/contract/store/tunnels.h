#pragma once

#include "tests/contract/store/world.h"

#include <string>
#include <vector>

// Tunnels for tests of their store: what has to be there, and comparisons.
namespace sallyport::test {

inline store::Tunnel new_tunnel(World& world, const Tenant& tenant, const std::string& name = "") {
  const auto id = world.id<TunnelId>("tun_");
  return {.id = id,
          .org = tenant.org,
          .name = name.empty() ? id.value : name,
          .group = tenant.group,
          .host = "db.internal",
          .port = 5432,
          .networks = {"127.0.0.0/8"},
          .created_by = tenant.owner,
          .created_at = at_ms(world.made)};
}

inline void check_same(const store::Tunnel& found, const store::Tunnel& wanted) {
  CHECK(found.id == wanted.id);
  CHECK(found.org == wanted.org);
  CHECK(found.name == wanted.name);
  CHECK(found.group == wanted.group);
  CHECK(found.agent == wanted.agent);
  CHECK(found.host == wanted.host);
  CHECK(found.port == wanted.port);
  CHECK(found.listener == wanted.listener);
  CHECK(found.networks == wanted.networks);
  CHECK(found.access == wanted.access);
  CHECK(found.limits == wanted.limits);
  CHECK(found.expires_at == wanted.expires_at);
  CHECK(found.status == wanted.status);
  CHECK(found.created_by == wanted.created_by);
  CHECK(found.created_at == wanted.created_at);
  CHECK(found.removed_at == wanted.removed_at);
}

// In the order of the list, collected from pages of two.
inline awaitable<std::vector<std::string>> all_names(World& world, OrgId org, store::TunnelFilter filter) {
  std::vector<std::string> names;
  store::PageQuery query{.limit = 2};
  do {
    const auto page = must(co_await world.stores.tunnels.list(org, filter, query));
    CHECK(page.items.size() <= 2);
    for (const auto& tunnel : page.items) names.push_back(tunnel.name);
    query.after = page.next;
  } while (!query.after.empty() && names.size() < 100);
  co_return names;
}

}  // namespace sallyport::test
