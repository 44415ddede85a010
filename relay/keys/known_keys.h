#pragma once

#include "relay/store/key_store.h"
#include "relay/store/key_witnesses.h"
#include "shared/base/result.h"

#include <cstdint>
#include <vector>

namespace sallyport::keys {

// What is known of an organisation's standing keys at one moment: what keys.db has, what relay.db says that it must
// have, and what was given up (docs/decisions/0046). Of OrgId(): of the global key. No IO.
//
// Errors of all: unavailable: what must be there is not, and may come back; forbidden: the organisation is erased.
struct KnownKeys {
  OrgId org;
  std::vector<store::KeyVersion> keys = {};  // oldest first
  store::KeyWitness witness = {};
  std::uint32_t given_up = 0;  // all that are missing up to this
  std::uint32_t last_own = 0;  // the last attachment that keys.db knows of, whether it stands or not
  bool erased = false;

  std::uint32_t newest() const { return keys.empty() ? 0 : keys.back().version; }
  std::uint32_t next() const;  // no number comes twice
  // Nothing may be sealed under what is there: it is made anew.
  bool needs_new() const { return keys.empty() || newest() < witness.version; }
  bool is_given_up(std::uint32_t version) const;
  // The newest version that was used is there, or given up.
  Result<void> expect_newest() const;
  // So is the key of its own that stands.
  Result<void> expect_attached() const;
  // 0: the newest. not_found: that one was given up.
  Result<store::KeyVersion> choose(std::uint32_t version) const;
};

// The attachment that must stand is one that keys.db never heard of. One that it has seen, and has no more, was
// detached after the witness said so: relay.db is the older of the two.
bool misses_attachment(const store::KeyWitness& witness, std::uint32_t last_own);

}  // namespace sallyport::keys
