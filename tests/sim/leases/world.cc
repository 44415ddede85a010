#include "tests/sim/leases/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::sim {
namespace {

using namespace std::chrono_literals;
using platform::BootTime;

constexpr int kTurns = 1'500;
constexpr auto kLease = 60s;
constexpr auto kFailover = 1s;   // the shortest that a relay takes
constexpr auto kSettling = 30s;  // of the planted fault: so long a dispatch may be on its way
const jobs::JobKey kJob{OrgId("org_1"), JobId("job_1")};

}  // namespace

LeaseWorld::LeaseWorld(std::uint64_t seed, Planted planted)
    : dice_(seed), planted_(planted), leases_({.length = kLease, .failover = kFailover}) {
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    auto& agent = agents_[i];
    agent.id = AgentId(fmt::format("agt_{}", i + 1));
    agent.rate = 0.999 + 0.001 * static_cast<double>(dice_.below(3));
    agent.offset = Ms(dice_.below(1'000'000'000));
    link_up(agent);
  }
}

std::string LeaseWorld::run() {
  for (int turn = 0; turn < kTurns && violation_.empty(); ++turn) {
    now_ += Ms(1 + dice_.below(dice_.one_in(3) ? 5'000 : 50));
    meddle();
    if (now_ >= relay_stopped_until_) relay_turn();
    for (auto& agent : agents_) {
      if (now_ >= agent.stopped_until) agent_turn(agent);
    }
  }
  return violation_;
}

BootTime LeaseWorld::clock_of(const Agent& agent) const {
  const auto passed = static_cast<std::int64_t>(static_cast<double>((now_ - agent.uncounted).count()) * agent.rate);
  return BootTime(agent.offset + Ms(passed));
}

LeaseWorld::Ms LeaseWorld::delay() { return dice_.one_in(12) ? Ms(dice_.below(100'000)) : Ms(dice_.below(200)); }

template <class Message>
void LeaseWorld::send(Line<Message>& line, Message message) {
  const Ms earliest = line.sent.empty() ? now_ : line.sent.back().arrives;
  line.sent.push_back({std::max(earliest, now_ + delay()), std::move(message)});
}

template <class Message>
std::optional<Message> LeaseWorld::receive(Line<Message>& line) {
  if (line.sent.empty() || line.sent.front().arrives > now_) return std::nullopt;
  auto message = std::move(line.sent.front().message);
  line.sent.pop_front();
  return message;
}

// ---------------------------------------------------------------- what goes wrong

void LeaseWorld::meddle() {
  auto& agent = agents_[dice_.below(agents_.size())];
  if (dice_.one_in(25)) {
    const Ms length(1'000 + dice_.below(150'000));
    agent.stopped_until = now_ + length;
    if (planted_ == Planted::clock_stops_in_sleep && dice_.one_in(2)) agent.uncounted += length;
  }
  if (dice_.one_in(60)) agent.link->cut = true;
  if (dice_.one_in(120)) link_up(agent);  // the agent found its link dead
  if (dice_.one_in(150)) relay_stopped_until_ = now_ + Ms(dice_.below(100'000));
  if (dice_.one_in(300)) restart_relay();
  if (dice_.one_in(300)) {  // the agent's process: its journal stays
    agent.holdings = {};
    agent.lease_end = BootTime::min();
    agent.stopped_until = now_;
    link_up(agent);
  }
}

void LeaseWorld::restart_relay() {
  const auto held = leases_.find(kJob);
  leases_ = jobs::Leases(leases_.terms());
  if (held) leases_.restore(*held, kLease, relay_clock());
  for (auto& agent : agents_) agent.link->cut = true;
  unsent_.clear();
}

// ---------------------------------------------------------------- the relay

void LeaseWorld::relay_turn() {
  for (auto& agent : agents_) {
    const auto link = agent.link;
    while (!link->cut) {
      const auto message = receive(link->up);
      if (!message) break;
      std::visit([&](const auto& one) { hear(agent, *link, one); }, *message);
    }
  }
  take_back_lost();
  grant();
  post_unsent();
}

void LeaseWorld::hear(Agent& from, Link& link, const Holding& holding) {
  link.heard = holding.number;
  if (holding.epoch > 0) {
    const auto verdict = leases_.renew(from.id, kJob, holding.epoch, relay_clock());
    send(link.down, ToAgent(Answer{holding.number, holding.epoch, verdict}));
  }
  const bool first = std::exchange(link.first_holding, false);
  const auto held = leases_.find(kJob);
  if (!held || held->agent != from.id || held->epoch == holding.epoch) return;
  const bool of_earlier_link = first && held->granted < link.since;
  const bool missed = planted_ == Planted::missing_is_never_held && held->granted < relay_clock() - kSettling;
  if (of_earlier_link || missed) leases_.end(kJob, held->epoch);
}

void LeaseWorld::hear(Agent& from, Link&, const Accepted& accepted) {
  (void)leases_.renew(from.id, kJob, accepted.epoch, relay_clock());
}

void LeaseWorld::take_back_lost() {
  for (const auto& held : leases_.lost(relay_clock())) leases_.end(held.key, held.epoch);
}

// Between the grant and the sending lies the putting together of the message, and perhaps a stop of the relay.
void LeaseWorld::grant() {
  auto& agent = agents_[dice_.below(agents_.size())];
  const auto& link = agent.link;
  if (leases_.find(kJob) || link->cut || link->first_holding) return;
  leases_.grant({kJob, agent.id, ++epoch_, {}, {}}, relay_clock());
  tally_.moved += last_holder_ && *last_holder_ != agent.id ? 1 : 0;
  last_holder_ = agent.id;
  const Ms at = now_ + (dice_.one_in(4) ? Ms(dice_.below(80'000)) : Ms(0));
  unsent_.push_back({&agent, link, {epoch_, link->heard}, at});
}

void LeaseWorld::post_unsent() {
  for (auto& unsent : std::exchange(unsent_, {})) {
    if (unsent.at > now_) {
      unsent_.push_back(unsent);
    } else if (unsent.link->cut || unsent.link != unsent.agent->link) {
      leases_.end(kJob, unsent.dispatch.epoch);
    } else {
      if (planted_ == Planted::rests_on_newest_at_sending) unsent.dispatch.holding = unsent.link->heard;
      send(unsent.link->down, ToAgent(unsent.dispatch));
    }
  }
}

// ---------------------------------------------------------------- an agent

void LeaseWorld::link_up(Agent& agent) {
  agent.link = std::make_shared<Link>();
  agent.link->since = relay_clock();
  say_holding(agent);
}

void LeaseWorld::say_holding(Agent& agent) {
  const BootTime now = clock_of(agent);
  agent.holding_due = now + kLease / 3;
  send(agent.link->up, ToRelay(Holding{agent.holdings.add(now), agent.epoch}));
}

void LeaseWorld::agent_turn(Agent& agent) {
  while (const auto message = receive(agent.link->down)) {
    std::visit([&](const auto& one) { read(agent, one); }, *message);
    begin_step(agent);
    if (!violation_.empty()) return;
  }
  if (agent.link->cut && agent.link->down.sent.empty() && dice_.one_in(3)) link_up(agent);
  if (clock_of(agent) >= agent.holding_due) say_holding(agent);
  begin_step(agent);
}

void LeaseWorld::read(Agent& agent, const Dispatch& dispatch) {
  if (dispatch.epoch <= agent.epoch) return;
  const BootTime now = clock_of(agent);
  agent.epoch = dispatch.epoch;
  agent.lease_end = agent.holdings.lease_end(dispatch.holding, kLease).value_or(BootTime::min());
  if (planted_ == Planted::dispatch_counts_from_reading) agent.lease_end = now + kLease;
  send(agent.link->up, ToRelay(Accepted{dispatch.epoch}));
  agent.stale = now >= agent.lease_end;
  tally_.stale += agent.stale ? 1 : 0;
  if (agent.stale) say_holding(agent);
}

void LeaseWorld::read(Agent& agent, const Answer& answer) {
  if (answer.epoch != agent.epoch) return;
  if (answer.verdict == jobs::Verdict::renewed) {
    agent.lease_end = agent.holdings.lease_end(answer.holding, kLease).value_or(BootTime::min());
    if (planted_ == Planted::renewal_counts_from_reading) agent.lease_end = clock_of(agent) + kLease;
    tally_.confirmed += std::exchange(agent.stale, false) ? 1 : 0;
  } else {
    agent.epoch = 0;
    tally_.fenced += std::exchange(agent.stale, false) ? 1 : 0;
  }
}

void LeaseWorld::begin_step(Agent& agent) {
  if (agent.epoch == 0 || clock_of(agent) >= agent.lease_end) return;
  ++tally_.begun;
  const auto held = leases_.find(kJob);
  if (held && held->agent == agent.id && held->epoch == agent.epoch) return;
  violation_ = fmt::format("{} ms: {} began a step under epoch {}, which the relay had taken back", now_.count(),
                           agent.id.value, agent.epoch);
}

}  // namespace sallyport::sim
