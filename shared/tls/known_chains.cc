#include "shared/tls/known_chains.h"

#include "shared/base/text.h"

#include <algorithm>

namespace sallyport::tls {

Validity validity_of(std::span<const crypto::Certificate> chain) {
  Validity validity{chain.front().not_before(), chain.front().not_after()};
  for (const auto& certificate : chain.subspan(1)) {
    validity.begin = std::max(validity.begin, certificate.not_before());
    validity.end = std::min(validity.end, certificate.not_after());
  }
  return validity;
}

std::optional<PeerIdentity> KnownChains::find(const crypto::Digest& shown, WallTime now) {
  const auto key = as_text(shown);
  const auto* known = known_.find(key);
  if (known == nullptr || now < known->validity.begin || now >= known->validity.end) return std::nullopt;
  return known_.touch(key).agent;
}

void KnownChains::remember(const crypto::Digest& shown, PeerIdentity agent, Validity validity) {
  known_.touch(as_text(shown)) = {std::move(agent), validity};
}

}  // namespace sallyport::tls
