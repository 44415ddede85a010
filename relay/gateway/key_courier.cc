#include "relay/gateway/key_courier.h"

#include "proto/sallyport/v1/system_keys.pb.h"
#include "relay/keys/system_key_identity.h"
#include "shared/async/timeout.h"
#include "shared/link/message_bytes.h"
#include "shared/sealing/limits.h"
#include "shared/sealing/statement.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

// A message holds no more keys than this: each at its largest, they stay far below 1 MiB.
constexpr std::size_t kKeysInMessage = 16;

std::vector<std::string> encode(const std::vector<store::AgentsKey>& keys) {
  std::vector<std::string> messages;
  for (std::size_t at = 0; at == 0 || at < keys.size(); at += kKeysInMessage) {
    v1::SystemKeySet set;
    const auto end = std::min(keys.size(), at + kKeysInMessage);
    for (auto i = at; i < end; ++i) {
      auto& key = *set.add_keys();
      key.set_name(keys[i].name);
      key.set_group_id(keys[i].group.value);
      key.set_version(keys[i].version);
      key.set_generation(keys[i].copy.generation);
      key.set_sealed(std::string(as_text(keys[i].copy.sealed_copy)));
    }
    set.set_more(end < keys.size());
    messages.push_back(set.SerializeAsString());
  }
  return messages;
}

// That it is this agent's is checked here so that no agent writes what is another's; whether the point is really the
// agent's is for those to check who seal to it.
Result<store::SealingKey> sealing_key(const OrgId& org, const AgentId& agent, std::string_view bytes, WallTime now) {
  SP_TRY(const auto statement, sealing::parse_statement(as_bytes(bytes)));
  const auto names = statement.chain.leaf.alt_names();
  const auto id = names.size() == 1 ? crypto::parse_spiffe_id(names[0].text) : fail(Errc::invalid, "no name");
  if (!id || id->org != org || id->agent != agent) return fail(Errc::invalid, "a statement in another agent's name");
  return store::SealingKey{agent, statement.generation, Bytes(as_bytes(bytes).begin(), as_bytes(bytes).end()), now};
}

std::vector<store::ToldCopy> told_copies(const v1::SystemKeysHeld& held) {
  std::vector<store::ToldCopy> told;
  for (const auto& key : held.keys()) {
    if (told.size() == sealing::kMostSystemKeys) break;
    told.push_back({key.name(), key.version(), key.opens() ? store::CopyState::held : store::CopyState::unopenable});
  }
  return told;
}

}  // namespace

KeyCourier::KeyCourier(const asio::any_io_executor& executor, Parts parts, CourierLimits limits)
    : parts_(parts), limits_(limits), work_(executor) {}

void KeyCourier::visit(const OrgId& org, const AgentId& agent) {
  if (!parts_.links.knows_system_keys(org, agent)) return;
  auto& due = due_.try_emplace(agent, Due{.org = org}).first->second;
  due.at = parts_.clock.steady();
  due.again = due.under_way;
  work_.set();
}

void KeyCourier::visit_group(const OrgId& org, const GroupId& group) {
  for (const auto& agent : parts_.links.knowing_system_keys(org, group)) visit(org, agent);
}

asio::awaitable<void> KeyCourier::run() {
  TaskGroup visits(co_await asio::this_coro::executor, [this](const auto& task, const auto& why) {
    parts_.log.error("system_keys.fault", {{"task", task}, {"why", why}});
  });
  co_await asio::this_coro::throw_if_cancelled(false);
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    work_.clear();
    const auto next = begin_due(visits);
    co_await work_.wait_until(next);
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  visits.stop();
  co_await visits.join();
}

SteadyTime KeyCourier::begin_due(TaskGroup& visits) {
  const auto now = parts_.clock.steady();
  auto next = now + limits_.longest;
  std::vector<std::pair<AgentId, OrgId>> begun;  // a visit that ends at once changes what is due
  for (auto& [agent, due] : due_) {
    if (due.under_way) continue;
    if (due.at > now) {
      next = std::min(next, due.at);
    } else if (under_way_ < limits_.visits) {
      due.under_way = true;
      ++under_way_;
      begun.emplace_back(agent, due.org);
    }
  }
  for (auto& [agent, org] : begun) visits.spawn("visit", call_on(std::move(agent), std::move(org)));
  return next;
}

asio::awaitable<void> KeyCourier::call_on(AgentId agent, OrgId org) {
  const auto outcome = co_await with_timeout(limits_.visit, deliver(org, agent));
  settle(agent, outcome);
}

// An exception would hide behind the deadline.
asio::awaitable<Result<void>> KeyCourier::deliver(OrgId org, AgentId agent) {
  try {
    co_return co_await exchange(std::move(org), std::move(agent));
  } catch (const std::exception& fault) {
    co_return fail(Errc::internal, fault.what());
  }
}

void KeyCourier::settle(const AgentId& agent, const Result<void>& outcome) {
  --under_way_;
  work_.set();
  const auto found = due_.find(agent);
  if (found == due_.end()) return;
  auto& due = found->second;
  const bool linked = parts_.links.knows_system_keys(due.org, agent);
  if (!outcome && linked)
    parts_.log.warn("system_keys.not_brought", {{"agent", agent.value}, {"message", outcome.error().message}});
  if (!linked || (outcome && !due.again)) return void(due_.erase(found));
  due.under_way = false;
  due.pause = outcome ? std::chrono::milliseconds(0) : std::clamp(2 * due.pause, limits_.again, limits_.longest);
  due.at = parts_.clock.steady() + (due.again ? std::chrono::milliseconds(0) : due.pause);
  due.again = false;
}

asio::awaitable<Result<void>> KeyCourier::exchange(OrgId org, AgentId agent) {
  SP_CO_TRY(const auto keys, co_await keys_of(org, agent));
  SP_CO_TRY(const auto channel, parts_.links.open_for_keys(org, agent));
  for (auto& message : encode(keys)) SP_CO_CHECK(co_await channel.send_message(std::move(message)));
  SP_CO_CHECK(channel.finish());
  SP_CO_TRY(auto answer, co_await channel.receive_message());
  if (!answer) co_return fail(Errc::unavailable, "the agent has not answered");
  co_return co_await note(std::move(org), std::move(agent), *std::move(answer));
}

asio::awaitable<Result<std::vector<store::AgentsKey>>> KeyCourier::keys_of(OrgId org, AgentId agent) {
  SP_CO_TRY(auto keys, co_await parts_.keys.of_agent(org, agent));
  for (auto& key : keys) {
    auto identity = keys::copy_identity(org, key.name, key.version, agent);
    SP_CO_TRY(const auto sealed, co_await parts_.envelope.open(std::move(identity), key.copy.sealed_copy));
    const auto bytes = as_bytes(sealed.reveal());
    key.copy.sealed_copy.assign(bytes.begin(), bytes.end());
  }
  co_return keys;
}

asio::awaitable<Result<void>> KeyCourier::note(OrgId org, AgentId agent, Bytes answer) {
  v1::SystemKeysHeld held;
  if (!link::parse(held, answer)) co_return fail(Errc::invalid, "P16.4: no SystemKeysHeld");
  SP_CO_TRY(auto key, sealing_key(org, agent, held.statement(), parts_.clock.wall()));
  SP_CO_TRY(const bool changed, co_await parts_.keys.put_sealing_key(org, key));
  if (changed)
    parts_.log.info("system_keys.sealing_key", {{"agent", agent.value}, {"generation", std::uint64_t{key.generation}}});
  co_return co_await parts_.keys.note_copies(std::move(org), std::move(agent), told_copies(held));
}

}  // namespace sallyport::gateway
