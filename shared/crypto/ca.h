#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/key.h"
#include "shared/crypto/signing_request.h"
#include "shared/crypto/spiffe.h"
#include "shared/crypto/x509.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::crypto {

inline constexpr std::chrono::hours kRootLifetime{24 * 3650};
inline constexpr std::chrono::hours kIssuingCaLifetime{24 * 1825};
inline constexpr std::chrono::hours kServerLifetime{24 * 90};
inline constexpr std::chrono::hours kAgentLifetime{24 * 30};
inline constexpr std::chrono::hours kShortestAgentLifetime{1};
// Certificates start this much before they are made, because clocks differ.
inline constexpr std::chrono::minutes kBackdating{5};

// A certificate authority: a certificate and the key it speaks for.
struct Authority {
  Certificate certificate;
  PrivateKey key;
};

struct ServerCertificate {
  Certificate certificate;
  PrivateKey key;
};

// The deployment's root: self-signed, pathlen 1. Its key is needed again only for server certificates and issuing CAs,
// so it may live offline. `name` is for people.
Result<Authority> make_root(std::string_view name, const Clock& clock);

// The root before another one, and its word for its successor: the successor's subject and key, certified by it.
struct Predecessor {
  Certificate root;
  Certificate cross;
};

// `old_root`'s word for `root`: a CA certificate with pathlen 0, so it stands above servers' certificates and above no
// issuing CA. It ends with the first of the two. Refuses a successor with the same subject or key.
Result<Certificate> make_cross_certificate(const Authority& old_root, const Certificate& root, const Clock& clock);
// Whether somebody who trusts `before.root` may trust `root` from now on: both are roots of different subjects and
// keys, and the cross certificate is of exactly the new one's subject and key, of the form above and signed by the old
// one. Errc::invalid with what is wrong. Validity in time is not judged here.
Result<void> check_succession(const Predecessor& before, const Certificate& root);
// The same, and all three are valid at `now`.
Result<void> check_succession(const Predecessor& before, const Certificate& root, WallTime now);

// A certificate for the relay's own names, each a DNS name or an IP address: serverAuth, 90 days, fresh key.
Result<ServerCertificate> make_server_certificate(const Authority& root, std::vector<std::string> names,
                                                  const Clock& clock);

// The issuing CA of one organisation: pathlen 0, subject organizationName = the organisation's id, extended key usage
// clientAuth (so it can never speak for a server), permitted URI names: those of the trust domain's host.
Result<Authority> make_issuing_ca(const Authority& root, std::string_view trust_domain, const OrgId& org,
                                  const Clock& clock);

// An agent's certificate for the key of `request`: exactly one alternative name, the URI of `id`; clientAuth; a random
// 128-bit serial. Refuses an `issuer` of another organisation and a lifetime outside 1 hour .. 30 days; never outlives
// `issuer`.
Result<Certificate> issue_agent_certificate(const Authority& issuer, const SigningRequest& request, const SpiffeId& id,
                                            std::chrono::seconds lifetime, const Clock& clock);

}  // namespace sallyport::crypto
