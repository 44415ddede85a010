#include "shared/tls/peer_identity.h"

#include <fmt/format.h>

namespace sallyport::tls {
namespace {

std::unexpected<Refusal> refused(std::string_view reason, std::string message) {
  return std::unexpected(Refusal{reason, Error{Errc::unauthenticated, std::move(message)}});
}

}  // namespace

std::expected<PeerIdentity, Refusal> check_agent_chain(std::span<const crypto::Certificate> chain,
                                                       std::string_view trust_domain) {
  if (chain.empty()) return refused(reason::kNoCertificate, "the agent shows no certificate");
  const auto& leaf = chain.front();
  if (leaf.ca()) return refused(reason::kWrongRole, "a CA certificate is not an agent's");
  if (!leaf.allows_client_auth())
    return refused(reason::kWrongRole, "the certificate is not for client authentication");
  if (!leaf.allows_digital_signature() || leaf.allows_certificate_signing()) {
    return refused(reason::kWrongRole, "the certificate's key usage is not that of an agent");
  }
  const auto names = leaf.alt_names();
  if (names.size() != 1 || names.front().kind != crypto::AltName::Kind::uri) {
    return refused(reason::kBadSan,
                   fmt::format("{} alternative names where exactly one URI is expected", names.size()));
  }
  auto id = crypto::parse_spiffe_id(names.front().text);
  if (!id) return refused(reason::kBadSan, id.error().message);
  if (id->trust_domain != trust_domain) return refused(reason::kBadSan, "the certificate is of another trust domain");
  if (chain.size() != 3)
    return refused(reason::kWrongCa, "an agent's certificate is issued directly below its organisation's CA");
  if (chain[1].organisation_name() != id->org.value) {
    return refused(
        reason::kWrongOrganisation,
        fmt::format("the certificate names {} but was issued by the CA of \"{}\"", id->org.value, chain[1].subject()));
  }
  return PeerIdentity{*std::move(id), leaf.serial(), leaf.key_pin(), chain[2].key_pin()};
}

}  // namespace sallyport::tls
