#include "agent/link/supervisor.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::agent {
namespace asio = boost::asio;
using std::chrono::milliseconds;

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

constexpr std::chrono::seconds kSayAgain{60};

// This identity is no longer the agent's, or somebody else has it too.
bool disowns(const link::Refusal& refusal) { return refusal.code == "revoked" || refusal.code == "quarantined"; }

// No answer at all, as opposed to one that says no.
Setback setback_of(const Error& attempt) {
  return attempt.code == Errc::unavailable || attempt.code == Errc::timed_out ? Setback::away : Setback::refused;
}

// Only a link that was up can break: before that, its end is an answer (with TLS 1.3 also that of a bad certificate).
Setback setback_of(const link::EndReason& end, bool was_ready) {
  switch (end.end) {
    case link::LinkEnd::drained:
    case link::LinkEnd::peer_closed:
    case link::LinkEnd::stream_failed:
    case link::LinkEnd::silent_peer: return was_ready ? Setback::away : Setback::refused;
    default: return Setback::refused;
  }
}

// How the last attempt ended.
struct Outcome {
  Setback setback = Setback::away;
  std::optional<link::Refusal> refusal;  // of the relay
};

}  // namespace

struct Supervisor::Impl final : link::SessionOwner {
  Impl(const asio::any_io_executor& on, SupervisorOptions settings, Parts parts, Random random);

  asio::awaitable<void> run();
  asio::awaitable<void> keep_linked();
  asio::awaitable<Outcome> one_link();
  asio::awaitable<void> rest(Outcome after);
  milliseconds pause_after(const Outcome& outcome);
  void change(LinkState state);
  void fault();
  void problem(std::string_view event, std::string text);
  void attempt_failed(std::string text);

  asio::awaitable<void> serve(link::Session& session) override;
  asio::awaitable<void> work_on(link::Session& session);
  asio::awaitable<void> report_ready(link::Session& session);
  void on_ping(link::Session& session, std::uint64_t nonce) override { parts.work.on_ping(session, nonce); }
  void on_control(link::Session& session, const v1::Control& message) override;
  void on_go_away(link::Session& session, const std::string& reason, milliseconds drain) override;

  asio::any_io_executor executor;
  SupervisorOptions options;
  Parts parts;
  Backoff backoff;
  TaskGroup loop;
  Event over;
  Event parked;  // never set: what waits for it is cancelled in the end
  LinkStatus status;
  link::Session* session = nullptr;  // while one lives
  std::optional<SteadyTime> ready_since;
  SteadyTime quiet_until{};
  bool stopping = false;
};

Supervisor::Impl::Impl(const asio::any_io_executor& on, SupervisorOptions settings, Parts with, Random random)
    : executor(on),
      options(std::move(settings)),
      parts(with),
      backoff(options.backoff, std::move(random)),
      loop(on, [this](const auto&, const auto&) { fault(); }),
      over(on),
      parked(on) {
  status.since = parts.clock.steady();
}

void Supervisor::Impl::change(LinkState state) {
  status.state = state;
  status.since = parts.clock.steady();
  status.failures = backoff.failures();
  if (session) status.relay_software = session->peer().software;
  parts.work.on_state(status);
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

// An exception left the loop: a cancellation while stopping, a fault of ours otherwise.
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
  change(LinkState::stopped);
}

asio::awaitable<void> Supervisor::Impl::keep_linked() {
  while (!stopping) {
    change(LinkState::connecting);
    auto outcome = co_await one_link();
    // A session's end disables cancellation; `stopping` has kept what may have come meanwhile.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    if (ready_since)
      backoff.link_was_ready_for(std::chrono::duration_cast<milliseconds>(parts.clock.steady() - *ready_since));
    ready_since.reset();
    if (!stopping) co_await rest(std::move(outcome));
  }
  over.set();
}

asio::awaitable<Outcome> Supervisor::Impl::one_link() {
  auto stream = co_await parts.transport.connect(options.relay, parts.clock.steady() + options.connect);
  if (!stream) {
    attempt_failed(stream.error().message);
    co_return Outcome{setback_of(stream.error()), {}};
  }
  if (stopping) co_return Outcome();
  auto settings = options.session;
  settings.self.policy_summary_json = parts.work.policy_summary_json();
  link::Session current(executor, *std::move(stream), std::move(settings), *this, parts.clock);
  session = &current;
  auto end = co_await current.run();
  session = nullptr;
  auto text = std::string(to_string(end.end)) + ": " + end.message;
  if (!stopping) {
    problem("link.lost", std::move(text));
  } else {
    parts.log.info("link.closed", {{"reason", text}});
  }
  Outcome outcome{setback_of(end, ready_since.has_value()), {}};
  if (end.end == link::LinkEnd::refused) outcome.refusal = std::move(end.refusal);
  co_return outcome;
}

// Only a revoked agent waits for its restart (P11.3): one that parks itself for anything less is lost until somebody
// visits its server.
asio::awaitable<void> Supervisor::Impl::rest(Outcome after) {
  const auto& refusal = after.refusal;
  if (refusal && disowns(*refusal)) status.disowned = refusal->code;
  const bool timeless = refusal && refusal->retry_after == milliseconds(0);
  const bool final = timeless && refusal->code == "revoked";
  const auto pause = final ? milliseconds(0) : pause_after(after);
  change(final || (timeless && refusal->code == "version") ? LinkState::refused : LinkState::connecting);
  co_await parked.wait_until(final ? SteadyTime::max() : parts.clock.steady() + pause);
}

milliseconds Supervisor::Impl::pause_after(const Outcome& outcome) {
  const auto& refusal = outcome.refusal;
  if (!refusal) return backoff.next(outcome.setback);
  if (refusal->retry_after != milliseconds(0)) return backoff.next(Setback::refused, refusal->retry_after);
  if (refusal->code == "version") return backoff.around(options.outdated);
  return backoff.next(Setback::refused, options.unwanted);
}

asio::awaitable<void> Supervisor::Impl::serve(link::Session& current) {
  TaskGroup tasks(executor,
                  [&current](const auto& task, const auto&) { current.stop("the link's " + task + " failed"); });
  tasks.spawn("work", work_on(current));
  tasks.spawn("readiness", report_ready(current));
  if (parts.renewer) tasks.spawn("renewal", parts.renewer->run(current));
  Event never(executor);
  co_await never.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  tasks.stop();
  co_await tasks.join();
}

asio::awaitable<void> Supervisor::Impl::work_on(link::Session& current) {
  co_await parts.work.on_link(current);
  if (!current.draining()) current.stop("the work on this link has ended");
}

asio::awaitable<void> Supervisor::Impl::report_ready(link::Session& current) {
  const auto proven = co_await current.wait_until_proven();
  if (!proven || current.draining()) co_return;
  ready_since = parts.clock.steady();
  parts.log.info("link.ready", {{"relay", current.peer().software}, {"protocol", current.peer().protocol}});
  status.disowned.clear();
  change(LinkState::ready);
}

void Supervisor::Impl::on_control(link::Session&, const v1::Control& message) {
  if (parts.renewer && message.has_renew_response()) parts.renewer->on_response(message.renew_response());
}

void Supervisor::Impl::on_go_away(link::Session& current, const std::string& reason, milliseconds drain) {
  parts.log.info("link.going_away", {{"reason", reason}});
  change(LinkState::draining);
  parts.work.on_go_away(current, reason, drain);
}

Supervisor::Supervisor(const asio::any_io_executor& executor, SupervisorOptions options, Parts parts, Random random)
    : impl_(std::make_unique<Impl>(executor, std::move(options), parts, std::move(random))) {}

Supervisor::~Supervisor() = default;

asio::awaitable<void> Supervisor::run() { return impl_->run(); }

const LinkStatus& Supervisor::status() const { return impl_->status; }

void Supervisor::stop(std::string message) {
  impl_->stopping = true;
  if (impl_->session) return impl_->session->stop(std::move(message));
  impl_->over.set();
}

void Supervisor::drain(std::string reason, milliseconds limit) {
  impl_->stopping = true;
  if (!impl_->session || !impl_->session->proven()) return stop(std::move(reason));
  impl_->session->go_away(std::move(reason), limit);
  impl_->change(LinkState::draining);
}

}  // namespace sallyport::agent
