#include "relay/app/quieten.h"

namespace sallyport::app {
namespace {

store::awaitable<Result<void>> quieten_agents(Quieted parts, OrgId org) {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts.agents.list(org, {}, query));
    std::vector<AgentId> agents;
    agents.reserve(page.items.size());
    for (const auto& agent : page.items) agents.push_back(agent.id);
    SP_CO_CHECK(co_await parts.revocations.tell_revoked(org, agents));
    for (const auto& agent : agents) SP_CO_CHECK(co_await parts.dispatcher.agent_revoked(org, agent));
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

store::awaitable<Result<void>> quieten_tunnels(Quieted parts, OrgId org) {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts.tunnels.list(org, {}, query));
    for (const auto& tunnel : page.items) parts.desk.drop(tunnel.id);
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

}  // namespace

store::awaitable<Result<void>> quieten(Quieted parts, OrgId org) {
  SP_CO_CHECK(co_await quieten_agents(parts, org));
  SP_CO_CHECK(co_await quieten_tunnels(parts, org));
  parts.memory.forget_all(org);
  co_return Result<void>();
}

}  // namespace sallyport::app
