#include "shared/crypto/x509.h"
#include "shared/tls/peer_identity.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;

// Any bytes as a certificate: every accessor answers, and what is parsed is the same after DER and back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto certificate = crypto::Certificate::from_der(bytes);
  if (!certificate) return 0;
  static_cast<void>(certificate->subject() + certificate->issuer() + certificate->common_name());
  static_cast<void>(certificate->organisation_name() + certificate->serial());
  static_cast<void>(certificate->not_before() <= certificate->not_after());
  static_cast<void>(certificate->key_pin());
  static_cast<void>(certificate->signed_by(*certificate));
  static_cast<void>(tls::check_agent_chain(std::vector{*certificate, *certificate, *certificate}, "relay.test"));
  const auto again = crypto::Certificate::from_der(certificate->der());
  if (!again || again->alt_names() != certificate->alt_names()) std::abort();
  return 0;
}
