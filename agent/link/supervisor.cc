#include "agent/link/supervisor_impl.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::agent {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using Stage = KeptLink::Stage;

std::string_view to_string(LinkState state) {
  switch (state) {
    case LinkState::connecting: return "connecting";
    case LinkState::ready: return "ready";
    case LinkState::draining: return "draining";
    case LinkState::refused: return "refused";
    case LinkState::stopped: return "stopped";
  }
  return "stopped";
}

namespace {

// A further link is never missed so much that its address should be asked every two seconds.
BackoffTimes patient(BackoffTimes times) {
  times.away_cap = times.cap;
  return times;
}

}  // namespace

Supervisor::Impl::Impl(const asio::any_io_executor& on, SupervisorOptions settings, Parts with, Random chance)
    : executor(on),
      options(std::move(settings)),
      parts(with),
      random(std::move(chance)),
      backoff(options.backoff, random),
      further(patient(options.backoff), random),
      loop(on, [this](const auto&, const auto&) { fault(); }),
      over(on),
      woken(on),
      good(options.relay) {
  for (std::uint32_t i = 0; i < places.size(); ++i) places[i] = std::make_unique<KeptLink>(i, on, parts, *this);
  status.since = parts.clock.steady();
}

// An exception left a task: a cancellation while stopping, a fault of ours otherwise.
void Supervisor::Impl::fault() {
  if (!stopping) parts.log.error("link.supervisor_failed");
  over.set();
}

asio::awaitable<void> Supervisor::Impl::run() {
  loop.spawn("supervisor", keep_linked());
  co_await over.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stopping = true;
  loop.stop();
  co_await loop.join();
  status.state = LinkState::stopped;
  status.since = parts.clock.steady();
  parts.work.on_state(status);
}

asio::awaitable<void> Supervisor::Impl::keep_linked() {
  tell();
  while (!stopping && !has_left()) {
    woken.clear();
    dial_what_is_due();
    co_await woken.wait_until(leave ? std::min(next_dial(), leave->by) : next_dial());
  }
  if (!stopping && leave) stop(leave->reason);
  while (std::ranges::any_of(places, [](const auto& link) { return link->session() != nullptr; })) {
    woken.clear();
    co_await woken.wait();
  }
  over.set();
}

asio::awaitable<void> Supervisor::Impl::tend(KeptLink& link, Endpoint to) {
  const auto outcome = co_await link.run(std::move(to), options.session, parts.clock.steady() + options.connect);
  settle(outcome);
  woken.set();
}

void Supervisor::Impl::stop(const std::string& message) {
  stopping = true;
  woken.set();
  for (const auto& link : places) {
    if (auto* session = link->session()) session->stop(message);
  }
}

// A link with the jobs that is not proven yet is told when it is: see changed().
void Supervisor::Impl::drain(const std::string& reason, milliseconds limit) {
  leave = {reason, parts.clock.steady() + limit};
  woken.set();
  for (const auto& link : places) {
    auto* session = link->session();
    if (session == nullptr) continue;
    if (session->proven()) {
      link->drain(reason, limit);
    } else if (link.get() != jobs_on) {
      session->stop(reason);
    }
  }
  tell();
}

bool Supervisor::Impl::has_left() const {
  if (!leave) return false;
  const bool linked = std::ranges::any_of(places, [](const auto& link) { return link->session() != nullptr; });
  return parts.clock.steady() >= leave->by || (!linked && !parts.work.has_to_report());
}

// --- the jobs

// Nobody waits for a proof where there is no other link: the jobs channel is what most links are for.
bool Supervisor::Impl::may_take_jobs(const KeptLink& link) const {
  if (jobs_on != nullptr || stopping) return false;
  return link.stage() == Stage::ready || (link.stage() == Stage::greeted && count(Stage::ready) == 0);
}

void Supervisor::Impl::give_jobs_back(KeptLink&) {
  jobs_on = nullptr;
  for (const auto& link : places) link->reconsider_jobs();
  woken.set();
}

void Supervisor::Impl::welcomed(KeptLink& link) {
  const auto& peer = link.session()->peer();
  status.relay_software = peer.software;
  status.clock_ahead = milliseconds(unix_ms(parts.clock.wall()) - peer.server_time_ms);
  relay_wants = knows(peer, link::kLinks) ? peer.links : 1;
  addresses.clear();
  for (const auto& text : peer.addresses) {
    if (auto address = parse_endpoint(text, 0)) addresses.push_back(*std::move(address));
  }
}

void Supervisor::Impl::changed(KeptLink& link) {
  const auto now = parts.clock.steady();
  if (link.stage() == Stage::ready) {
    status.disowned.clear();
    good = link.address();
    tries = further_tries = 0;
    if (count(Stage::ready) == 1)
      further_due = now + std::chrono::duration_cast<milliseconds>(options.second * random());
  } else if (link.hands_over()) {
    replace(link);
  }
  for (const auto& one : places) one->reconsider_jobs();
  if (leave && link.stage() == Stage::ready)
    link.drain(leave->reason,
               std::chrono::duration_cast<milliseconds>(std::max(leave->by - now, SteadyTime::duration::zero())));
  woken.set();
  tell();
}

Supervisor::Supervisor(const asio::any_io_executor& executor, SupervisorOptions options, Parts parts, Random random)
    : impl_(std::make_unique<Impl>(executor, std::move(options), parts, std::move(random))) {}

Supervisor::~Supervisor() = default;

asio::awaitable<void> Supervisor::run() { return impl_->run(); }

const LinkStatus& Supervisor::status() const { return impl_->status; }

std::vector<LinkFacts> Supervisor::links() const {
  std::vector<LinkFacts> links;
  for (const auto& link : impl_->places) {
    if (link->stage() != Stage::idle) links.push_back(link->facts());
  }
  return links;
}

void Supervisor::stop(const std::string& message) { impl_->stop(message); }

void Supervisor::drain(const std::string& reason, milliseconds limit) { impl_->drain(reason, limit); }

}  // namespace sallyport::agent
