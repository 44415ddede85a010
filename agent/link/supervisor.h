#pragma once

#include "agent/link/backoff.h"
#include "agent/link/own_clock.h"
#include "agent/link/renewer.h"
#include "agent/link/transport.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/link/session.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::agent {

enum class LinkState {
  connecting,  // dialling, in the handshake, or waiting to try again
  ready,       // Welcome, and a round trip through the relay's dispatch path
  draining,    // no new work, running work goes on
  refused,     // revoked: only a restart tries again; or no common version: tried again every hour or so
  stopped,
};
std::string_view to_string(LinkState state);

struct LinkStatus {
  LinkState state = LinkState::connecting;
  SteadyTime since{};
  unsigned failures = 0;     // since the last healthy link
  std::string last_problem;  // why the last link or attempt ended, "" before the first
  std::string relay_software;
  std::size_t links = 0;  // that are ready
  // By how much this machine's clock was ahead of the relay's at the last Welcome, a round trip more or less.
  std::optional<std::chrono::milliseconds> clock_ahead;
  // The relay's code when it disowned this agent ("revoked", "quarantined") and no link was ready since; else "".
  std::string disowned;
  bool revoked = false;  // for good: only a restart tries again
};

// One of the links that live or are being made.
struct LinkFacts {
  std::uint32_t number = 0;
  Endpoint address;
  LinkState state = LinkState::connecting;  // or ready, or draining
  std::optional<SteadyTime> ready_since;
  std::optional<std::chrono::milliseconds> round_trip;
  bool carries_jobs = false;
};

// What runs on the links. All calls come on the supervisor's executor.
class LinkWork {
 public:
  virtual ~LinkWork() = default;
  // For Hello, asked before each link: connection names, kinds and health; never settings or secrets.
  virtual std::string policy_summary_json() = 0;
  // From Welcome until the link ends, which cancels it; on every link. May return early. Default: nothing.
  virtual boost::asio::awaitable<void> on_link(link::Session& session);
  // On one link at a time: opens the jobs channel and works it until it is cancelled (the link ends) or the channel has
  // ended. After on_go_away() it brings that about, in order. The next link is given the jobs when it has returned.
  // Returning on a link that is not draining ends the link.
  virtual boost::asio::awaitable<void> on_jobs(link::Session& session) = 0;
  // See SessionOwner::on_ping: answered by the part that takes work.
  virtual void on_ping(link::Session& session, std::uint64_t nonce) = 0;
  // The relay will end this link; not for drain().
  virtual void on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) = 0;
  // While the agent drains: work that ran, or ran to its end, of which the relay does not know yet. The jobs get a link
  // again for it when theirs is lost. Default: none.
  virtual bool has_to_report() const { return false; }
  // For status and readiness; called after every change.
  virtual void on_state(const LinkStatus& status) = 0;
};

struct SupervisorOptions {
  Endpoint relay;  // dialled until the relay names addresses
  link::SessionOptions session;
  BackoffTimes backoff;
  std::uint32_t links = 2;                        // at most, of those the relay wants
  std::chrono::milliseconds connect{20'000};      // for TCP, proxy and TLS together
  std::chrono::milliseconds second{5'000};        // within this after the first is ready the second is dialled
  std::chrono::milliseconds hand_over{1'000};     // within this a link that the relay drains is replaced
  std::chrono::milliseconds unwanted{60'000};     // after a refusal that names no time, other than revoked and version
  std::chrono::milliseconds outdated{3'600'000};  // about, after `version` without a time: somebody may put it right
};

// Keeps the links to the relay up: dial, handshake, work, and again with back-off. The first link alone says whether
// the agent is linked; further ones, as many as the relay wants and the agent may, are dialled when it is ready
// (docs/protocol.md P3.9, P12.4). The jobs are on one of them, and move to another when that one ends. A link that the
// relay drains is replaced within a second, at a random time; one that was drained young counts as a failure. All
// references must outlive run().
class Supervisor {
 public:
  struct Parts {
    Transport& transport;
    LinkWork& work;
    Renewer* renewer;  // nullptr: certificates are not renewed here
    const Clock& clock;
    const Log& log;
    OwnClock* own_clock = nullptr;  // nullptr: relays are not told what time it is
  };
  Supervisor(const boost::asio::any_io_executor& executor, SupervisorOptions options, Parts parts, Random random);
  ~Supervisor();

  // Until stop() or drain() has taken effect, or it is cancelled. Call once.
  boost::asio::awaitable<void> run();

  const LinkStatus& status() const;
  std::vector<LinkFacts> links() const;  // by number
  void stop(const std::string& message);
  // Tells the relay on every link, lets the channels end, at the latest after `limit`; then run() returns. A link is
  // only dialled when the jobs have none and have something to report, and the relay is told on it too.
  void drain(const std::string& reason, std::chrono::milliseconds limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::agent
