#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <string>

namespace sallyport::keys {

using Fingerprint = std::array<std::byte, 32>;

// By which a text is known again that must not be stored: HMAC-SHA256 under a key of its organisation, so that whoever
// has only the store cannot try guesses. Asynchronous because a key may have to be fetched first.
class Fingerprints {
 public:
  virtual ~Fingerprints() = default;
  // Equal for equal texts of one organisation and purpose ("event key rcp_..."), for as long as the organisation is
  // there: no rotation may change its key, or what was seen before would be taken for new. Errc::unavailable: the key
  // is not here.
  virtual boost::asio::awaitable<Result<Fingerprint>> of(OrgId org, std::string purpose, std::string text) = 0;
};

}  // namespace sallyport::keys
