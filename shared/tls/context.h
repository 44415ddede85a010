#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/crypto/ca.h"
#include "shared/crypto/key.h"
#include "shared/crypto/x509.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::tls {

// ALPN names (RFC 7301). A link demands a client certificate; enrolment, by definition, has none to show.
inline constexpr std::string_view kLinkProtocol = "sallyport/1";
inline constexpr std::string_view kEnrolProtocol = "sallyport-enrol/1";

struct ContextCore;

// What one side of a session demands and shows. Immutable and cheap to copy; sessions keep the context they began with,
// so a renewed certificate is a new context for later sessions. `Clock` must outlive every copy; it judges validity.
// A server's remembers which chains it has verified: all copies of one belong to one thread.
//
// All of them: TLS 1.2 and 1.3 only, ECDHE with AES-GCM or ChaCha20-Poly1305, P-256 certificates, the server's order.
// No renegotiation, compression, tickets, resumption or early data.
class ServerContext {
 public:
  explicit ServerContext(std::shared_ptr<const ContextCore> core) : core_(std::move(core)) {}
  const std::shared_ptr<const ContextCore>& core() const { return core_; }

 private:
  std::shared_ptr<const ContextCore> core_;
};

class ClientContext {
 public:
  explicit ClientContext(std::shared_ptr<const ContextCore> core) : core_(std::move(core)) {}
  const std::shared_ptr<const ContextCore>& core() const { return core_; }

 private:
  std::shared_ptr<const ContextCore> core_;
};

struct ServerSettings {
  crypto::Certificate certificate;  // issued by `root`
  const crypto::PrivateKey& key;    // used during the call only
  crypto::Certificate root;         // the trust anchor for agents
  std::string trust_domain;         // of the agents
  // While a root takes over from another: agents of both are welcome, and those that trust the old one are shown what
  // it says of `root`.
  std::optional<crypto::Predecessor> predecessor = {};
};

// The relay's side of kLinkProtocol and kEnrolProtocol, chosen by the client's ALPN before a certificate is asked for.
// On a link the agent's chain must pass check_agent_chain. A client that offers neither protocol is refused.
Result<ServerContext> make_server_context(const ServerSettings& settings, const Clock& clock);

struct LinkClientSettings {
  std::vector<crypto::Certificate> chain;  // own certificate first, then its issuing CA, without the root
  const crypto::PrivateKey& key;           // used during the call only
  crypto::Certificate root;                // the one trust anchor for the relay
};

// The agent's side of a link: the relay's certificate must chain to `root`, be for server authentication and name the
// host.
Result<ClientContext> make_link_client_context(const LinkClientSettings& settings, const Clock& clock);

// The agent's side of an enrolment: the same demands, with the root taken from the relay's chain if the SHA-256 of its
// key (SubjectPublicKeyInfo) is `root_pin`. Shows no certificate.
Result<ClientContext> make_enrol_client_context(const crypto::Digest& root_pin, const Clock& clock);

// The outside of a way that leads through HTTPS, whose inside is a TLS session of its own: ALPN http/1.1, or none, and
// whatever certificate is shown is taken, because whoever inspects the network shows his own. Proves nothing and hides
// nothing: what goes through must be protected already. Suites and versions are OpenSSL's usual ones from TLS 1.2 on.
inline constexpr std::string_view kCarrierProtocol = "http/1.1";
Result<ClientContext> make_carrier_client_context(const Clock& clock);

// For one who only looks at the certificate that a foreign server shows, and goes away: as the carrier's, without ALPN.
// A server that wants a certificate of its client may refuse the session after it has shown its own: Refusal::shown.
Result<ClientContext> make_onlooker_client_context(const Clock& clock);

}  // namespace sallyport::tls
