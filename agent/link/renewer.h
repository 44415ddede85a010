#pragma once

#include "agent/link/backoff.h"
#include "agent/link/identity.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/link/session.h"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace sallyport::v1 {
class RenewResponse;
}

namespace sallyport::agent {

// Two thirds of the certificate's life after its beginning, moved by up to 1/30 of that life either way.
WallTime renewal_time(WallTime not_before, WallTime not_after, double random);

struct RenewalTimes {
  std::chrono::milliseconds look{30'000};          // how often the clock is looked at, because it may jump
  std::chrono::milliseconds answer{30'000};        // for the relay's answer
  std::chrono::milliseconds retry_base{60'000};    // after a failure: full jitter from here ...
  std::chrono::milliseconds retry_cap{3'600'000};  // ... to here
  // Asked by the relay: a random part of this, so that thousands of agents do not come together ...
  std::chrono::milliseconds spread{10'000};
  std::chrono::milliseconds asked_again{60'000};  // ... and not more often than this
  // Before the relay is told what was installed: a link that is being dialled may still show the old certificate.
  std::chrono::milliseconds dialling{30'000};
};

// Replaces the agent's certificate before it ends (docs/protocol.md P7.5): a new key, its CSR over the link, the new
// pair into the store. The running link goes on with the old certificate; the next one shows the new. Whatever the wall
// clock says, a twelfth of the certificate's life lies between two renewals: an agent whose clock is ahead must not use
// up the relay's patience. A new root is taken from the relay only with the word of the one that is trusted now. All
// arguments of the constructor must outlive it.
class Renewer {
 public:
  Renewer(IdentityStore& identities, RenewalTimes times, Random random, const Clock& clock, const Log& log);
  ~Renewer();

  // Runs while `session` lives, until cancelled; one at a time.
  boost::asio::awaitable<void> run(link::Session& session);
  // The relay's answer, from the control channel.
  void on_response(const v1::RenewResponse& response);
  // The relay asks for a renewal (RenewNow).
  void on_renew_now();
  // What to tell people when the certificate's time is over by this machine's clock; else "".
  std::string advice() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::agent
