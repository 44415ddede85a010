#pragma once

#include "shared/async/sources.h"
#include "shared/base/clock.h"
#include "shared/crypto/digest.h"
#include "shared/tls/peer_identity.h"

#include <optional>
#include <span>

namespace sallyport::tls {

// When every certificate of a chain is valid: from `begin` until before `end`.
struct Validity {
  WallTime begin;
  WallTime end;
};
Validity validity_of(std::span<const crypto::Certificate> chain);  // not empty

// Which chains of agents have been verified under the roots of one context: who comes again is not verified again.
// What is remembered follows from the bytes of the certificates, those roots and the time alone: outside the chain's
// validity nothing is known, and whether a certificate has been revoked is asked elsewhere each time. Bounded: what was
// not shown for longest is forgotten. No IO and no clock; not thread-safe.
class KnownChains {
 public:
  explicit KnownChains(std::size_t most = 20'000) : known_(most) {}

  // `shown`: a digest of everything the peer showed, in its order.
  std::optional<PeerIdentity> find(const crypto::Digest& shown, WallTime now);
  void remember(const crypto::Digest& shown, PeerIdentity agent, Validity validity);
  std::size_t size() const { return known_.size(); }

 private:
  struct Known {
    std::optional<PeerIdentity> agent;
    Validity validity{};
  };
  BoundedTable<Known> known_;
};

}  // namespace sallyport::tls
