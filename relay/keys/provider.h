#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace sallyport::keys {

// The answer of somebody who has the key, or knows that there is none; else nobody may have been reached.
constexpr bool is_word_of_keeper(Errc code) {
  return code == Errc::forbidden || code == Errc::not_found || code == Errc::invalid;
}

inline constexpr std::size_t kMaxWrapped = 256;  // bytes of a key that a provider is given to wrap

// Where the key at the top is kept, the deployment's or an organisation's own: a file, a PKCS#11 token, AWS KMS,
// Vault Transit. What it wraps is a key; the key that wraps stays there. Every call ends within 10 s. Calls may
// overlap.
class Provider {
 public:
  virtual ~Provider() = default;
  // Bound to `purpose` (printable ASCII, at most 200 characters: "tenant/org_.../2"): unwraps for no other one.
  // Errc::forbidden: the key is revoked or disabled, or this relay may not use it. Errc::not_found: there is no such
  // key. Errc::unavailable, timed_out: where it is kept does not answer, or not in time.
  virtual boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) = 0;
  // The same; and Errc::invalid: not wrapped by this key for this purpose, or changed since.
  virtual boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) = 0;
  virtual std::string describe() const = 0;  // for people and logs: kind and name of the key, no credentials
};

}  // namespace sallyport::keys
