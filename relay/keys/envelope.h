#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <boost/asio/awaitable.hpp>

#include <span>
#include <string>

namespace sallyport::keys {

// Where a sealed field lives. It is bound to the ciphertext: a field copied to another row, column, table or
// organisation does not open.
struct RecordIdentity {
  OrgId org;
  std::string table;
  std::string column;
  std::string record;  // primary key within the organisation
};

// The only way a payload gets into or out of the store. Asynchronous because a key may have to be fetched first.
class Envelope {
 public:
  virtual ~Envelope() = default;
  // `plaintext` stays with the caller and alive until the coroutine ends.
  virtual boost::asio::awaitable<Result<Bytes>> seal(RecordIdentity identity, std::span<const std::byte> plaintext) = 0;
  // Errc::invalid: not a sealed field, changed, or moved from elsewhere. Errc::unavailable: sealed under a key that is
  // not here; with it the field would open.
  virtual boost::asio::awaitable<Result<Secret>> open(RecordIdentity identity, std::span<const std::byte> sealed) = 0;
};

}  // namespace sallyport::keys
