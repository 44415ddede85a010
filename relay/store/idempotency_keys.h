#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <variant>

namespace sallyport::store {

inline constexpr std::chrono::hours kIdempotencyLife{24};
// A claim without an answer for this long was left behind by a relay that died: it may be claimed anew. What the
// first claim started is known to the second (NewJob::request_key).
inline constexpr std::chrono::minutes kIdempotencyClaimLife{5};

struct IdempotentRequest {
  std::string key;     // as the caller sent it, with whatever makes it that caller's own in front
  Bytes request_hash;  // SHA-256 of method, path and body
  WallTime now;
};

struct StoredResponse {
  int status = 0;
  Bytes sealed_body;  // by the envelope: table "idempotency_keys", column "response", record = the key
};

struct FirstTime {};   // go on, then complete() or abandon()
struct InProgress {};  // another call with this key is under way

using IdempotencyClaim = std::variant<FirstTime, InProgress, StoredResponse>;

class IdempotencyKeys {
 public:
  virtual ~IdempotencyKeys() = default;
  virtual awaitable<Result<IdempotencyClaim>> claim(OrgId org,
                                                    IdempotentRequest request) = 0;  // conflict: another request
  virtual awaitable<Result<void>> complete(OrgId org, std::string key, StoredResponse response) = 0;
  // It failed before it had an effect. A key that has started a job (NewJob::request_key) stays claimed.
  virtual awaitable<Result<void>> abandon(OrgId org, std::string key) = 0;
  virtual awaitable<Result<std::size_t>> remove_expired(WallTime now, std::size_t limit) = 0;  // system-wide
};

}  // namespace sallyport::store
