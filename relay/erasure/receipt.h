#pragma once

#include "relay/store/erasures.h"
#include "relay/store/key_store.h"
#include "shared/base/value.h"

#include <chrono>
#include <vector>

namespace sallyport::erasure {

// So long answers may be kept for calls that are repeated.
inline constexpr std::chrono::hours kKeptAnswers{25};

// What an erasure came to. Ids, counts, times and hashes: no text of anybody.
struct Outcome {
  store::Erasure erasure;
  std::vector<store::ErasedRows> rows;
  store::ErasedObjects objects;
  WallTime finished_at;
  std::chrono::milliseconds
      key_backups;                  // copies that were taken elsewhere may hold the organisation's key for so long
  store::LedgerHead ledger;         // of the organisation
  store::LedgerHead system_ledger;  // of the deployment
};
Value receipt_of(const Outcome& outcome);

// What was shredded of an organisation because its time was over, as far as it is known now: of each lane all before
// its position.
Value shredding_receipt(const OrgId& org, WallTime at, std::uint64_t epoch,
                        const std::vector<store::CountedLane>& lanes);

// Kept with the erasure until its receipt is written.
std::string keys_json(const store::ErasedKeys& keys);

}  // namespace sallyport::erasure
