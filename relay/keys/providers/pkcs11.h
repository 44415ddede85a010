#pragma once

#include "relay/keys/provider.h"
#include "relay/outbound/credential_source.h"

#include <chrono>
#include <memory>
#include <string>

namespace sallyport::keys {

class BlockingProvider;

struct Pkcs11Config {
  std::string module;                      // path of the maker's library: "/usr/lib/softhsm/libsofthsm2.so"
  std::string token;                       // its label
  std::string key;                         // the label of an AES key of 256 bits
  outbound::CredentialSource<Secret> pin;  // the user's; asked for when the token is opened
  std::chrono::milliseconds deadline{10'000};
};

// A key in a PKCS#11 token (pkcs11_token.h says what is made of a wrapped key). The token is opened by the first call
// and kept open; when it was away, everything is opened anew, once for each call. A PIN that is refused is never tried
// again by this provider, since tokens lock after a few wrong ones: forbidden, until the source gives another one.
// PKCS#11 logs in programs, not providers: while another one is logged in to the same token, the PIN given here is not
// looked at. A library that hangs costs its caller the deadline; the provider can be destroyed all the same, and leaves
// behind the thread that hangs (call_thread.h). Errors: invalid: what is wrong with `config`; not_found: there is no
// such library. The token is not asked yet.
Result<std::unique_ptr<Provider>> make_pkcs11(Pkcs11Config config);
// The same, for whoever has threads for it.
Result<std::shared_ptr<BlockingProvider>> make_blocking_pkcs11(Pkcs11Config config);

// Makes the key in the token: AES, 256 bits, not extractable. Blocks. Errors: conflict: the label is taken; and those
// of a Provider.
Result<void> make_pkcs11_key(const Pkcs11Config& config);

}  // namespace sallyport::keys
