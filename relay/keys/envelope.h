#pragma once

#include "relay/domain/retention.h"
#include "relay/keys/locked_memory.h"
#include "relay/store/job_keys.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sallyport::keys {

// Which key a field is sealed under, and so how long it can be read. docs/envelope.md.
enum class KeyClass : std::uint8_t {
  standing = 0,   // the organisation's master key: until the organisation is erased
  payload = 1,    // the job's key for its data
  logs = 2,       // the job's key for what is said about it
  transient = 3,  // the hour's key: kTransientHours
  archive = 4,    // the hour's key of the record's own time in the archive; not for fields of the store
};
std::string_view to_string(KeyClass key);

inline constexpr std::uint32_t kTransientHours = 25;  // an answer kept for its Idempotency-Key lives 24 h

// Where a sealed field lives. It is bound to the ciphertext: a field copied to another row, column, table or
// organisation does not open.
struct RecordIdentity {
  OrgId org;
  std::string table;
  std::string column;
  std::string record;  // primary key within the organisation
  KeyClass key = KeyClass::standing;
  JobId job = {};  // of payload and logs: whose key
};

// The keys of a job that is not in the store yet. `wrapped` goes there with the job; without it nothing that was sealed
// under them opens again.
struct NewJobKeys {
  OrgId org;
  JobId job;
  std::vector<store::JobKey> wrapped;
  LockedKey payload;  // not taken: no payload may be kept
  LockedKey logs;
};

// The only way a payload gets into or out of the store. Asynchronous because a key may have to be fetched first.
// Errors of all: unavailable: the key at the top, or one of the organisation's own, does not answer or is revoked, and
// until it is restored nothing of the organisation is read or written.
class Envelope {
 public:
  virtual ~Envelope() = default;
  virtual boost::asio::awaitable<Result<NewJobKeys>> make_job_keys(OrgId org, JobId job,
                                                                   domain::JobRetention retention) = 0;
  // `plaintext` stays with the caller and alive until the coroutine ends.
  virtual boost::asio::awaitable<Result<Bytes>> seal(RecordIdentity identity, std::span<const std::byte> plaintext) = 0;
  // The same for a job that is not stored yet. `keys` stays with the caller, too.
  virtual boost::asio::awaitable<Result<Bytes>> seal_new(const NewJobKeys& keys, RecordIdentity identity,
                                                         std::span<const std::byte> plaintext) = 0;
  // Errc::invalid: not a sealed field, changed, or moved from elsewhere. Errc::not_found: its retention has ended, and
  // its key is gone. Errc::unavailable: sealed under a key that is not here; with it the field would open.
  virtual boost::asio::awaitable<Result<Secret>> open(RecordIdentity identity, std::span<const std::byte> sealed) = 0;
};

}  // namespace sallyport::keys
