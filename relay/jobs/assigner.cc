#include "relay/jobs/assigner.h"

#include <chrono>

namespace sallyport::jobs {
namespace {

constexpr auto kRetry = std::chrono::seconds(5);

bool watches_locally(const std::string& trigger) { return trigger != "manual@1" && trigger != "manual"; }

}  // namespace

void Assigner::reconsider(const OrgId& org) {
  dirty_.insert(org);
  work_.set();
}

store::awaitable<void> Assigner::run() {
  while (!co_await enlist_all()) co_await work_.wait_until(std::chrono::steady_clock::now() + kRetry);
  for (;;) {
    work_.clear();
    while (!dirty_.empty()) {
      const OrgId org = dirty_.extract(dirty_.begin()).value();
      if (auto assigned = co_await assign_all(org); !assigned) {
        parts_.log.error("assignment.failed", {{"org", org.value}, {"message", assigned.error().message}});
        dirty_.insert(org);
        break;
      }
    }
    const auto next =
        dirty_.empty() ? std::chrono::steady_clock::time_point::max() : std::chrono::steady_clock::now() + kRetry;
    co_await work_.wait_until(next);
  }
}

store::awaitable<Result<void>> Assigner::enlist_all() {
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.organisations.list_all(query));
    for (const auto& organisation : page.items) reconsider(organisation.id);
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

store::awaitable<Result<void>> Assigner::assign_all(OrgId org) {
  std::set<RecipeId> active;
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.recipes.active(org, query));
    for (const auto& version : page.items) {
      if (!watches_locally(version.trigger)) continue;
      active.insert(version.recipe);
      SP_CO_CHECK(co_await assign(org, version));
    }
    query.after = page.next;
  } while (!query.after.empty());
  SP_CO_CHECK(co_await withdraw_inactive(org, active));
  for (const auto& [agent, link] : std::map(links_)) {
    if (link->who().org == org && links_.contains(agent)) co_await sync(*link, 0);
  }
  co_return Result<void>();
}

store::awaitable<Result<void>> Assigner::assign(OrgId org, const store::RecipeVersionSummary& version) {
  const auto group = co_await parts_.groups.find_by_name(org, version.run_on);
  const auto current = co_await parts_.assignments.find(org, version.recipe);
  std::optional<AgentId> holder;
  if (current) {
    holder = current->agent;
    SP_CO_TRY(const auto agent, co_await parts_.agents.find(org, current->agent));
    const bool stays = agent.status == store::AgentStatus::active && group && agent.group == group->id;
    if (stays && current->version == version.version) co_return Result<void>();
    if (stays) {
      co_return co_await parts_.assignments.assign(org, holder, {org, version.recipe, version.version, *holder});
    }
  }
  SP_CO_TRY(const auto chosen, co_await choose(org, version.run_on));
  if (!chosen) {
    if (current) SP_CO_CHECK(co_await parts_.assignments.withdraw(org, version.recipe));
    parts_.log.warn("assignment.waits", {{"org", org.value},
                                         {"recipe", version.recipe.value},
                                         {"group", version.run_on},
                                         {"reason", "no agent in the group"}});
    co_return Result<void>();
  }
  parts_.log.info("assignment.made", {{"org", org.value}, {"recipe", version.recipe.value}, {"agent", chosen->value}});
  co_return co_await parts_.assignments.assign(org, holder, {org, version.recipe, version.version, *chosen});
}

store::awaitable<Result<void>> Assigner::withdraw_inactive(OrgId org, const std::set<RecipeId>& active) {
  std::vector<RecipeId> withdrawn;
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.assignments.list(org, query));
    for (const auto& assignment : page.items) {
      if (!active.contains(assignment.recipe)) withdrawn.push_back(assignment.recipe);
    }
    query.after = page.next;
  } while (!query.after.empty());
  for (const auto& recipe : withdrawn) SP_CO_CHECK(co_await parts_.assignments.withdraw(org, recipe));
  co_return Result<void>();
}

// A linked agent of the group with the fewest assignments; else the one enrolled first.
store::awaitable<Result<std::optional<AgentId>>> Assigner::choose(OrgId org, const std::string& group_name) {
  const auto group = co_await parts_.groups.find_by_name(org, group_name);
  if (!group) co_return std::nullopt;
  SP_CO_TRY(const auto page, co_await parts_.agents.list(org, {group->id, store::AgentStatus::active},
                                                         {.after = "", .limit = store::kMaxPage}));
  std::optional<AgentId> best;
  std::pair<bool, std::size_t> best_rank{true, 0};  // (not linked, assignments): smaller is better
  for (const auto& agent : page.items) {
    SP_CO_TRY(const auto has, co_await parts_.assignments.of_agent(org, agent.id));
    const std::pair rank{!links_.contains(agent.id), has.assignments.size()};
    if (!best || rank < best_rank) {
      best = agent.id;
      best_rank = rank;
    }
  }
  co_return best;
}

void Assigner::link_up(AgentLink& link) {
  links_.insert_or_assign(link.who().agent, &link);
  reconsider(link.who().org);  // it may be the first of its group
}

void Assigner::link_down(AgentLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second == &link) links_.erase(it);
}

store::awaitable<Result<AssignmentSet>> Assigner::set_of(const LinkedAgent& agent) {
  SP_CO_TRY(const auto stored, co_await parts_.assignments.of_agent(agent.org, agent.agent));
  AssignmentSet set{stored.revision, {}};
  for (const auto& assignment : stored.assignments) {
    SP_CO_TRY(auto json, co_await parts_.parcels.recipe_json(agent.org, assignment.recipe, assignment.version));
    set.recipes.push_back({assignment.recipe, assignment.version, std::move(json)});
  }
  co_return set;
}

store::awaitable<void> Assigner::sync(AgentLink& link, std::uint64_t known_revision) {
  const LinkedAgent agent = link.who();
  auto set = co_await set_of(agent);
  const auto it = links_.find(agent.agent);
  if (it == links_.end()) co_return;  // the link went away meanwhile
  if (!set) {
    parts_.log.error("assignment.unknown", {{"agent", agent.agent.value}, {"message", set.error().message}});
    co_return;
  }
  if (set->revision != known_revision) (void)it->second->post(std::move(*set));
}

}  // namespace sallyport::jobs
