#include "relay/jobs/assigner.h"

#include "shared/async/timeout.h"
#include "shared/recipe/catalogue.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sallyport::jobs {
namespace {

constexpr auto kRetry = std::chrono::seconds(5);

bool is_passing(Errc code) { return code == Errc::unavailable || code == Errc::exhausted || code == Errc::timed_out; }

bool watches_locally(const std::string& trigger) {
  return trigger != "manual@1" && trigger != "manual" && trigger != recipe::kWebhookTrigger;
}

}  // namespace

void Assigner::reconsider(const OrgId& org, const std::optional<AgentId>& changed) {
  if (changed) owed_.insert(*changed);
  dirty_.insert(org);
  work_.set();
}

void Assigner::tell_all(const OrgId& org) {
  for (const auto& [agent, linked] : links_) {
    if (linked.link->who().org == org) owed_.insert(agent);
  }
  work_.set();
}

store::awaitable<void> Assigner::run() {
  while (!co_await enlist_all()) co_await sleep_for(kRetry);
  for (;;) {
    work_.clear();
    std::set<OrgId> failed;
    while (!dirty_.empty()) {
      const OrgId org = dirty_.extract(dirty_.begin()).value();
      deciding_ = org;
      auto assigned = co_await assign_all(org);
      deciding_.reset();
      co_await tell_owed();
      if (assigned) continue;
      parts_.log.error("assignment.failed", {{"org", org.value}, {"message", assigned.error().message}});
      failed.insert(org);
    }
    co_await tell_owed();
    co_await work_.wait_until(std::chrono::steady_clock::now() + kRetry);
    dirty_.merge(failed);
    owed_.merge(std::exchange(later_, {}));
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
  arrived_.clear();
  std::erase_if(waiting_, [&](const auto& one) { return one.first == org; });
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
  // It may have come after its group was read, and before it was known to be waited for.
  if (std::ranges::any_of(arrived_, [&](const GroupId& group) { return is_waited_for(org, group); })) reconsider(org);
  co_return Result<void>();
}

store::awaitable<Result<void>> Assigner::assign(OrgId org, const store::RecipeVersionSummary& version) {
  const auto found = co_await parts_.assignments.find(org, version.recipe);
  if (!found && found.error().code != Errc::not_found) co_return std::unexpected(found.error());
  if (!found) co_return co_await hand_to_another(org, version, std::nullopt);
  const store::Assignment& current = *found;
  SP_CO_TRY(const auto agent, co_await parts_.agents.find(org, current.agent));
  SP_CO_TRY(const auto group, co_await parts_.groups.find(org, agent.group));
  const bool stays = agent.status == store::AgentStatus::active && group.name == version.run_on;
  if (!stays) co_return co_await hand_to_another(org, version, current);
  if (current.version == version.version) co_return Result<void>();
  owed_.insert(current.agent);
  co_return co_await parts_.assignments.assign(org, current.agent,
                                               {org, version.recipe, version.version, current.agent});
}

store::awaitable<Result<void>> Assigner::hand_to_another(OrgId org, const store::RecipeVersionSummary& version,
                                                         std::optional<store::Assignment> current) {
  const auto group = co_await parts_.groups.find_by_name(org, version.run_on);
  if (!group && group.error().code != Errc::not_found) co_return std::unexpected(group.error());
  SP_CO_TRY(const auto chosen, co_await choose(org, group ? std::optional(group->id) : std::nullopt));
  if (!chosen) {
    waiting_.emplace(org, group ? std::optional(group->id) : std::nullopt);
    if (current) owed_.insert(current->agent);
    if (current) SP_CO_CHECK(co_await parts_.assignments.withdraw(org, version.recipe));
    parts_.log.warn("assignment.waits", {{"org", org.value},
                                         {"recipe", version.recipe.value},
                                         {"group", version.run_on},
                                         {"reason", "no agent in the group"}});
    co_return Result<void>();
  }
  std::optional<AgentId> holder;
  if (current) holder = current->agent;
  if (holder) owed_.insert(*holder);
  owed_.insert(*chosen);
  parts_.log.info("assignment.made", {{"org", org.value}, {"recipe", version.recipe.value}, {"agent", chosen->value}});
  co_return co_await parts_.assignments.assign(org, holder, {org, version.recipe, version.version, *chosen});
}

store::awaitable<Result<void>> Assigner::withdraw_inactive(OrgId org, const std::set<RecipeId>& active) {
  std::vector<store::Assignment> withdrawn;
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.assignments.list(org, query));
    for (const auto& assignment : page.items) {
      if (!active.contains(assignment.recipe)) withdrawn.push_back(assignment);
    }
    query.after = page.next;
  } while (!query.after.empty());
  for (const auto& assignment : withdrawn) {
    owed_.insert(assignment.agent);
    SP_CO_CHECK(co_await parts_.assignments.withdraw(org, assignment.recipe));
  }
  co_return Result<void>();
}

// A linked agent of the group with the fewest assignments; else the one enrolled first.
store::awaitable<Result<std::optional<AgentId>>> Assigner::choose(OrgId org, std::optional<GroupId> group) {
  std::optional<AgentId> best;
  if (!group) co_return best;
  std::pair<bool, std::size_t> best_rank{true, 0};  // (not linked, assignments): smaller is better
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.agents.list(org, {group, store::AgentStatus::active}, query));
    for (const auto& agent : page.items) {
      SP_CO_TRY(const auto has, co_await parts_.assignments.of_agent(org, agent.id));
      const std::pair rank{!links_.contains(agent.id), has.assignments.size()};
      if (!best || rank < best_rank) {
        best = agent.id;
        best_rank = rank;
      }
    }
    query.after = page.next;
  } while (!query.after.empty());
  co_return best;
}

bool Assigner::is_waited_for(const OrgId& org, const GroupId& group) const {
  return waiting_.contains({org, group}) || waiting_.contains({org, std::nullopt});
}

void Assigner::link_up(AgentLink& link) {
  const LinkedAgent& agent = link.who();
  links_.insert_or_assign(agent.agent, Linked{&link, std::nullopt});
  if (deciding_ == agent.org) arrived_.insert(agent.group);
  if (is_waited_for(agent.org, agent.group)) reconsider(agent.org);
}

void Assigner::link_down(AgentLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second.link == &link) links_.erase(it);
}

store::awaitable<void> Assigner::tell_owed() {
  const auto owed = std::exchange(owed_, {});
  for (const auto& agent : owed) co_await tell(agent);
}

store::awaitable<void> Assigner::sync(AgentLink& link, std::uint64_t known_revision) {
  const AgentId agent = link.who().agent;
  const auto it = links_.find(agent);
  if (it == links_.end() || it->second.link != &link) co_return;
  it->second.revision = known_revision;
  co_await tell(agent);
}

store::awaitable<void> Assigner::tell(AgentId agent) {
  const auto linked = links_.find(agent);
  const auto had = linked == links_.end() ? std::nullopt : linked->second.revision;
  if (!had) co_return;
  auto set = co_await set_of(linked->second.link->who(), *had);
  if (set && set->revision == had) co_return;
  const auto now = links_.find(agent);  // the link may be gone, another one, or told something else meanwhile
  if (now == links_.end()) co_return;
  if (now->second.revision != had) {
    owed_.insert(agent);
    co_return;
  }
  Result<void> posted;
  if (set) {
    now->second.revision = set->revision;
    posted = now->second.link->post(std::move(*set));
  } else {
    posted = std::unexpected(set.error());
  }
  if (posted) co_return;
  now->second.revision = had;
  if (is_passing(posted.error().code)) later_.insert(agent);
  parts_.log.error("assignment.not_sent", {{"agent", agent.value}, {"message", posted.error().message}});
}

// Without its recipes when its revision is the one that the agent has.
store::awaitable<Result<AssignmentSet>> Assigner::set_of(LinkedAgent agent, std::uint64_t known) {
  SP_CO_TRY(const auto stored, co_await parts_.assignments.of_agent(agent.org, agent.agent));
  AssignmentSet set{stored.revision, {}};
  if (stored.revision == known) co_return set;
  SP_CO_TRY(const auto levels, co_await parts_.retentions.find(agent.org));
  const auto payload = domain::keeps_payload(levels) ? store::Payload::kept : store::Payload::none;
  for (const auto& assignment : stored.assignments) {
    SP_CO_TRY(auto json, co_await parts_.parcels.recipe_json(agent.org, assignment.recipe, assignment.version));
    set.recipes.push_back({assignment.recipe, assignment.version, std::move(json), payload});
  }
  co_return set;
}

}  // namespace sallyport::jobs
