#include "shared/tls/verify.h"

#include "shared/base/utf8.h"
#include "shared/tls/ssl_errors.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>

namespace sallyport::tls {
namespace {

constexpr std::size_t kLongestName = 256;

using TrustedStack = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;

// The names of an ALPN extension (RFC 7301 §3.1); empty when it is malformed.
std::vector<std::string_view> offered_protocols(std::string_view extension) {
  std::vector<std::string_view> names;
  auto length_at = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(extension[at])); };
  if (extension.size() < 2 || ((length_at(0) << 8) | length_at(1)) != extension.size() - 2) return {};
  for (std::size_t at = 2; at < extension.size();) {
    const auto length = length_at(at);
    if (length == 0 || at + 1 + length > extension.size()) return {};
    names.push_back(extension.substr(at + 1, length));
    at += 1 + length;
  }
  return names;
}

std::string_view alpn_extension(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t length = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &length) != 1)
    return {};
  return {reinterpret_cast<const char*>(data), length};
}

std::string_view reason_of(int verify_error) {
  switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return reason::kExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return reason::kNotYetValid;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN: return reason::kWrongRole;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_SUBTREE_MINMAX: return reason::kBadSan;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return reason::kWrongHost;
    default: return reason::kWrongCa;
  }
}

std::string describe(X509_STORE_CTX* store, const Clock& clock) {
  auto* at_fault = X509_STORE_CTX_get_current_cert(store);
  const int error = X509_STORE_CTX_get_error(store);
  const auto depth = X509_STORE_CTX_get_error_depth(store);
  const std::string_view what = X509_verify_cert_error_string(error);
  if (at_fault == nullptr) return fmt::format("{} (certificate \"?\", depth {})", what, depth);
  const auto certificate = crypto::Certificate::share(at_fault);
  auto text = fmt::format("{} (certificate \"{}\", depth {})", what, certificate.subject(), depth);
  if (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)
    text += fmt::format(": it is {}; if the clock is wrong, set it", validity(certificate, clock));
  return text;
}

std::vector<crypto::Certificate> built_chain(X509_STORE_CTX* store) {
  std::vector<crypto::Certificate> chain;
  auto* certificates = X509_STORE_CTX_get0_chain(store);
  chain.reserve(static_cast<std::size_t>(std::max(sk_X509_num(certificates), 0)));
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    chain.push_back(crypto::Certificate::share(sk_X509_value(certificates, i)));
  }
  return chain;
}

// A refusal of ours reaches the peer as the alert bad_certificate.
int refuse(X509_STORE_CTX* store, HandshakeNotes& notes, Refusal why) {
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  notes.refuse(why.reason, why.error.code, std::move(why.error.message));
  return 0;
}

bool demand_host(X509_STORE_CTX* store, const std::string& host) {
  auto* rules = X509_STORE_CTX_get0_param(store);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return true;
  ERR_clear_error();
  return !host.empty() && X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1;
}

// Among what the server sent: the self-signed certificate whose key is pinned. nullptr when there is none.
X509* pinned_root(X509_STORE_CTX* store, const crypto::Digest& pin) {
  auto* sent = X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    const auto candidate = crypto::Certificate::share(sk_X509_value(sent, i));
    if (candidate.key_pin() == pin && candidate.ca() && candidate.signed_by(candidate)) return sk_X509_value(sent, i);
  }
  return nullptr;
}

int verify_chain(X509_STORE_CTX* store, HandshakeNotes& notes) {
  if (X509_verify_cert(store) != 1) {
    notes.refuse(reason_of(X509_STORE_CTX_get_error(store)), Errc::unauthenticated, describe(store, notes.core.clock));
    return 0;
  }
  notes.chain = built_chain(store);
  return 1;
}

int verify_server(X509_STORE_CTX* store, HandshakeNotes& notes) {
  if (!demand_host(store, notes.host)) {
    return refuse(store, notes, {reason::kWrongHost, {Errc::invalid, "the relay's host name is malformed"}});
  }
  if (verify_chain(store, notes) != 1) return 0;
  const auto& leaf = notes.chain.front();
  if (leaf.ca() || !leaf.allows_server_auth()) {
    return refuse(store, notes, {reason::kWrongRole, {Errc::unauthenticated, "the certificate is not for a server"}});
  }
  return 1;
}

int verify_pinned_server(X509_STORE_CTX* store, HandshakeNotes& notes) {
  auto* root = pinned_root(store, notes.core.root_pin);
  if (root == nullptr) {
    return refuse(store, notes,
                  {reason::kWrongPin, {Errc::unauthenticated, "the relay does not show the pinned root"}});
  }
  const TrustedStack trusted(sk_X509_new_null());
  sk_X509_push(trusted.get(), root);
  X509_STORE_CTX_set0_trusted_stack(store, trusted.get());
  return verify_server(store, notes);
}

// Whoever is refused is named, so that people can tell an inspecting proxy from a wrong address.
int naming_issuer(X509_STORE_CTX* store, HandshakeNotes& notes, int accepted) {
  auto* shown = X509_STORE_CTX_get0_cert(store);
  if (accepted == 1 || shown == nullptr || !notes.refusal) return accepted;
  notes.refusal->issuer = shortened(crypto::Certificate::share(shown).issuer(), kLongestName);
  return accepted;
}

// Of everything that was sent, in its order.
crypto::Digest shown_chain(X509_STORE_CTX* store) {
  crypto::Sha256 digest;
  auto* sent = X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    const auto der = crypto::Certificate::share(sk_X509_value(sent, i)).der();
    const std::uint64_t size = der.size();
    digest.update(std::as_bytes(std::span(&size, 1)));
    digest.update(der);
  }
  return digest.finish();
}

// Nobody asks for the chain again, and OpenSSL would hold it as long as the session lives.
void drop_built_chain(X509_STORE_CTX* store, HandshakeNotes& notes) {
  notes.chain.clear();
  X509_STORE_CTX_set0_verified_chain(store, nullptr);
}

HandshakeNotes& notes_of(X509_STORE_CTX* store) {
  return HandshakeNotes::of(
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())));
}

// A leaf whose time is over is looked at to the end, so that whoever came is named: verify_agent() refuses it then.
int on_agent_fault(int fine, X509_STORE_CTX* store) {
  const bool over =
      X509_STORE_CTX_get_error(store) == X509_V_ERR_CERT_HAS_EXPIRED && X509_STORE_CTX_get_error_depth(store) == 0;
  if (fine == 1 || !over) return fine;
  auto& notes = notes_of(store);
  notes.expired = describe(store, notes.core.clock);
  return 1;
}

int refuse_expired(X509_STORE_CTX* store, HandshakeNotes& notes, const PeerIdentity& agent) {
  notes.refuse(reason::kExpired, Errc::unauthenticated, notes.expired);
  if (notes.refusal) notes.refusal->agent = ShownAgent{agent.id, agent.serial};
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED);
  return 0;
}

int verify_agent(X509_STORE_CTX* store, HandshakeNotes& notes) {
  auto& known = *notes.core.known;
  const auto shown = shown_chain(store);
  if (auto agent = known.find(shown, notes.core.clock.wall())) {
    notes.agent = *std::move(agent);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  X509_STORE_CTX_set_verify_cb(store, on_agent_fault);
  if (verify_chain(store, notes) != 1) return 0;
  auto agent = check_agent_chain(notes.chain, notes.core.trust_domain);
  if (!agent) return refuse(store, notes, std::move(agent).error());
  if (!notes.expired.empty()) return refuse_expired(store, notes, *agent);
  known.remember(shown, *agent, validity_of(notes.chain));
  notes.agent = *std::move(agent);
  drop_built_chain(store, notes);
  return 1;
}

// Not judged: what is shown is kept for people.
int note_shown(X509_STORE_CTX* store, HandshakeNotes& notes) {
  auto* sent = X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(sent); ++i) notes.chain.push_back(crypto::Certificate::share(sk_X509_value(sent, i)));
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

// After the cross certificate: whoever pins the old root builds its chain by the first that fits.
bool show_roots(SSL* ssl, const ContextCore& core) {
  if (!core.root || SSL_add1_chain_cert(ssl, core.root->native()) != 1) return false;
  return !core.old_root || SSL_add1_chain_cert(ssl, core.old_root->native()) == 1;
}

}  // namespace

int on_client_hello(SSL* ssl, int* alert, void*) {
  auto& notes = HandshakeNotes::of(ssl);
  const auto offered = offered_protocols(alpn_extension(ssl));
  auto offers = [&](std::string_view name) { return std::ranges::find(offered, name) != offered.end(); };
  if (offers(kLinkProtocol)) {
    notes.protocol = kLinkProtocol;  // the context's own demand of a certificate stands
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  if (offers(kEnrolProtocol) && show_roots(ssl, notes.core)) {
    notes.protocol = kEnrolProtocol;
    SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  notes.refuse(reason::kAlpn, Errc::invalid,
               offered.empty() ? "the client offers no application protocol"
                               : fmt::format("none of the client's {} application protocols is ours", offered.size()));
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char*, unsigned int, void*) {
  const auto& chosen = HandshakeNotes::of(ssl).protocol;
  *out = reinterpret_cast<const unsigned char*>(chosen.data());
  *out_length = static_cast<unsigned char>(chosen.size());
  return chosen.empty() ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

int on_peer_chain(X509_STORE_CTX* store, void*) {
  auto& notes = notes_of(store);
  const auto now = unix_ms(notes.core.clock.wall()) / 1000;
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(store), static_cast<time_t>(now));
  switch (notes.core.role) {
    case Role::server: return verify_agent(store, notes);
    case Role::link_client: return naming_issuer(store, notes, verify_server(store, notes));
    case Role::enrol_client: return naming_issuer(store, notes, verify_pinned_server(store, notes));
    case Role::carrier_client: return note_shown(store, notes);
  }
  return 0;
}

}  // namespace sallyport::tls
