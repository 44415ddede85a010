#pragma once

#include "relay/store/page.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

// The key of its own that an organisation has attached, as keys.db must hold it.
struct WitnessedAttachment {
  std::uint32_t version = 0;  // 0: none stands
  std::string kind = {};
  WallTime attached_at = {};
  std::optional<WallTime> missing_since = {};  // keys.db did not have it then, and the organisation's ledger was told

  friend bool operator==(const WitnessedAttachment&, const WitnessedAttachment&) = default;
};

// What keys.db must hold of an organisation's keys, said by the other database: so a keys.db that is older than what
// was sealed is noticed (docs/decisions/0046). Nothing is known yet: all 0.
struct KeyWitness {
  std::uint32_t version = 0;  // the newest of the organisation's key that was used
  WitnessedAttachment attached = {};
  std::uint32_t last_attached = 0;  // no later attachment has its version

  friend bool operator==(const KeyWitness&, const KeyWitness&) = default;
};

struct WitnessedKeys {
  OrgId org;
  KeyWitness witness;
};

// Of an erased organisation nothing is kept any more. The global key is witnessed in the place of an organisation
// without a name, OrgId().
class KeyWitnesses {
 public:
  virtual ~KeyWitnesses() = default;
  virtual awaitable<Result<KeyWitness>> find(OrgId org) = 0;
  virtual awaitable<Result<std::vector<WitnessedKeys>>> attached() = 0;  // system-wide: whose attachment stands
  // From now on keys.db must have this version. An older one than is known changes nothing.
  virtual awaitable<Result<void>> use_version(OrgId org, std::uint32_t version) = 0;
  // From now on this attachment must stand, whichever did; of version 0: none.
  virtual awaitable<Result<void>> set_attached(OrgId org, WitnessedAttachment attachment) = 0;
  // Nothing, when another one stands.
  virtual awaitable<Result<void>> note_missing(OrgId org, std::uint32_t attachment, WallTime since) = 0;
};

}  // namespace sallyport::store
