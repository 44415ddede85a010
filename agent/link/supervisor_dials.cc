#include "agent/link/supervisor_impl.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace sallyport::agent {
using std::chrono::milliseconds;
using Stage = KeptLink::Stage;
namespace {

constexpr std::chrono::seconds kSayAgain{60};

// This identity is no longer the agent's, or somebody else has it too.
bool disowns(const link::Refusal& refusal) { return refusal.code == "revoked" || refusal.code == "quarantined"; }

// Only a restart helps (P11.3): an agent that parks itself for anything less is lost until somebody visits its server.
bool is_final(const link::Refusal& refusal) {
  return refusal.code == "revoked" && refusal.retry_after == milliseconds(0);
}

bool is_outdated(const link::Refusal& refusal) {
  return refusal.code == "version" && refusal.retry_after == milliseconds(0);
}

const link::Refusal* refusal_in(const LinkOutcome& outcome) {
  if (!outcome.end || outcome.end->end != link::LinkEnd::refused || !outcome.end->refusal) return nullptr;
  return &*outcome.end->refusal;
}

// No answer at all, as opposed to one that says no. Only a link that was up can break: before that, its end is an
// answer (with TLS 1.3 also that of a bad certificate).
Setback setback_of(const LinkOutcome& outcome) {
  if (outcome.attempt) {
    const auto code = outcome.attempt->code;
    return code == Errc::unavailable || code == Errc::timed_out ? Setback::away : Setback::refused;
  }
  if (!outcome.end) return Setback::away;
  switch (outcome.end->end) {
    case link::LinkEnd::drained:
    case link::LinkEnd::peer_closed:
    case link::LinkEnd::stream_failed:
    case link::LinkEnd::silent_peer: return outcome.ready_for ? Setback::away : Setback::refused;
    default: return Setback::refused;
  }
}

}  // namespace

// --- when to dial

std::size_t Supervisor::Impl::count(Stage stage) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(places, [stage](const auto& link) { return link->stage() == stage; }));
}

bool Supervisor::Impl::wants_first() const {
  return leave ? jobs_on == nullptr && parts.work.has_to_report() : count(Stage::ready) == 0;
}

bool Supervisor::Impl::wants_further() const { return !leave && count(Stage::ready) < wanted(); }

std::uint32_t Supervisor::Impl::wanted() const { return std::clamp(relay_wants, 1u, std::max(options.links, 1u)); }

KeptLink* Supervisor::Impl::free_place() const {
  const auto it = std::ranges::find_if(places, [](const auto& link) { return link->stage() == Stage::idle; });
  return it == places.end() ? nullptr : it->get();
}

bool Supervisor::Impl::waits_for_drain() const {
  return std::ranges::any_of(places,
                             [](const auto& link) { return link->stage() == Stage::draining && !link->hands_over(); });
}

// One dial at a time: as long as no link is ready it is what the agent waits for, and afterwards there is time.
bool Supervisor::Impl::may_dial() const {
  const auto under_way = count(Stage::dialling) + count(Stage::greeted);
  return under_way == 0 && !waits_for_drain() && free_place() != nullptr;
}

void Supervisor::Impl::dial_what_is_due() {
  const auto now = parts.clock.steady();
  if (!may_dial()) return;
  if (wants_first()) {
    if (now >= first_due) dial(first_address());
  } else if (wants_further() && now >= further_due) {
    dial(further_address());
  }
}

SteadyTime Supervisor::Impl::next_dial() const {
  if (!may_dial()) return SteadyTime::max();
  if (wants_first()) return first_due;
  return wants_further() ? further_due : SteadyTime::max();
}

void Supervisor::Impl::dial(Endpoint to) {
  auto& link = *free_place();
  link.mark_dialling();
  unwanted = false;
  tell();
  loop.spawn("link", tend(link, std::move(to)));
}

// --- where to

bool Supervisor::Impl::drains_at(const Endpoint& address) const {
  return std::ranges::any_of(
      places, [&](const auto& link) { return link->stage() == Stage::draining && link->address() == address; });
}

// Where a link was ready last, and after a failure one address after the other, that of the configuration among them;
// those that drain a link only after all others.
Endpoint Supervisor::Impl::first_address() const {
  if (tries == 0 && !drains_at(good)) return good;
  auto all = addresses;
  if (std::ranges::find(all, options.relay) == all.end()) all.push_back(options.relay);
  const auto at = std::ranges::find(all, good);
  if (at != all.end()) std::ranges::rotate(all, at);
  auto order = all;
  std::erase_if(order, [this](const auto& address) { return drains_at(address); });
  std::ranges::copy_if(all, std::back_inserter(order), [this](const auto& address) { return drains_at(address); });
  return order[tries % order.size()];
}

// The address with the fewest links, in the relay's order, those that drain one last; after a failure the next one.
Endpoint Supervisor::Impl::further_address() const {
  if (addresses.empty()) return good;
  std::vector<std::tuple<bool, std::ptrdiff_t, std::size_t>> by_use;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto links = std::ranges::count_if(
        places, [&](const auto& link) { return link->stage() == Stage::ready && link->address() == addresses[i]; });
    by_use.emplace_back(drains_at(addresses[i]), links, i);
  }
  std::ranges::sort(by_use);
  return addresses[std::get<2>(by_use[further_tries % by_use.size()])];
}

// --- how it went

void Supervisor::Impl::settle(const LinkOutcome& outcome) {
  if (!outcome.attempt && !outcome.end) return;
  account(outcome);
  const auto* refusal = refusal_in(outcome);
  const bool others = count(Stage::ready) > 0;
  if (refusal != nullptr && disowns(*refusal) && (is_final(*refusal) || !others)) status.disowned = refusal->code;
  if (refusal != nullptr && is_final(*refusal)) return park();
  if (stopping) return;
  if (leave) {
    come_back_after(outcome);
    return tell();
  }
  if (outcome.handed_over || !takes_links()) return tell();
  if (others) {
    ++further_tries;
    const auto setback = outcome.ready_for ? Setback::away : setback_of(outcome);
    std::optional<milliseconds> told;
    if (refusal != nullptr && refusal->retry_after != milliseconds(0)) told = refusal->retry_after;
    further_due = parts.clock.steady() + further.next(setback, told);
  } else {
    come_back_after(outcome);
  }
  tell();
}

void Supervisor::Impl::account(const LinkOutcome& outcome) {
  if (outcome.ready_for) {
    backoff.link_was_ready_for(*outcome.ready_for);
    further.link_was_ready_for(*outcome.ready_for);
  }
  if (outcome.attempt) return attempt_failed(with_advice(outcome.attempt->message));
  if (!outcome.end) return;
  auto text = std::string(to_string(outcome.end->end)) + ": " + outcome.end->message;
  if (stopping || (leave && outcome.end->end == link::LinkEnd::drained)) {
    parts.log.info("link.closed", {{"reason", text}});
  } else {
    problem("link.lost", outcome.ready_for ? std::move(text) : with_advice(std::move(text)));
  }
}

void Supervisor::Impl::come_back_after(const LinkOutcome& outcome) {
  if (!outcome.ready_for) ++tries;
  const auto* refusal = refusal_in(outcome);
  unwanted = refusal != nullptr && is_outdated(*refusal);
  first_due = parts.clock.steady() + pause_after(outcome);
}

milliseconds Supervisor::Impl::pause_after(const LinkOutcome& outcome) {
  const auto* refusal = refusal_in(outcome);
  if (refusal == nullptr) return backoff.next(setback_of(outcome));
  if (refusal->retry_after != milliseconds(0)) return backoff.next(Setback::refused, refusal->retry_after);
  if (refusal->code == "version") return backoff.around(options.outdated);
  return backoff.next(Setback::refused, options.unwanted);
}

// A relay that drains each new link at once must not be dialled without a pause. Never earlier than is due already.
void Supervisor::Impl::replace(const KeptLink& drained) {
  const bool others = count(Stage::ready) > 0;
  auto pause = milliseconds(static_cast<int>(random() * static_cast<double>(options.hand_over.count())));
  const auto ready_for = drained.ready_for();
  if (ready_for.value_or(milliseconds(0)) < options.backoff.healthy) {
    pause += (others ? further : backoff).next(ready_for ? Setback::away : Setback::refused);
  }
  auto& due = others ? further_due : first_due;
  due = std::max(due, parts.clock.steady() + pause);
}

void Supervisor::Impl::park() {
  unwanted = status.revoked = true;
  first_due = further_due = SteadyTime::max();
  for (const auto& link : places) {
    if (auto* session = link->session()) session->stop("the relay has revoked this agent");
  }
  tell();
}

LinkState Supervisor::Impl::state() const {
  if (unwanted) return LinkState::refused;
  if (count(Stage::ready) > 0) return LinkState::ready;
  if (count(Stage::dialling) + count(Stage::greeted) > 0) return LinkState::connecting;
  return leave || count(Stage::draining) > 0 ? LinkState::draining : LinkState::connecting;
}

void Supervisor::Impl::tell() {
  const auto now = state();
  if (now != status.state) status.since = parts.clock.steady();
  status.state = now;
  status.failures = backoff.failures();
  status.links = count(Stage::ready);
  parts.work.on_state(status);
}

// An agent that nobody lets in may have been away for too long.
std::string Supervisor::Impl::with_advice(std::string text) const {
  const auto advice = parts.renewer != nullptr ? parts.renewer->advice() : "";
  if (!advice.empty()) text += "; " + advice;
  return text;
}

void Supervisor::Impl::problem(std::string_view event, std::string text) {
  parts.log.warn(event, {{"problem", text}, {"failures", backoff.failures()}});
  status.last_problem = std::move(text);
}

// Once a second while the relay is away: the same again is told now and then only.
void Supervisor::Impl::attempt_failed(std::string text) {
  const auto now = parts.clock.steady();
  if (text == status.last_problem && now < quiet_until) return;
  quiet_until = now + kSayAgain;
  problem("link.attempt_failed", std::move(text));
}

}  // namespace sallyport::agent
