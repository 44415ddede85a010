#include "shared/sealing/statement.h"

#include "shared/crypto/digest.h"
#include "shared/crypto/signature.h"
#include "shared/sealing/limits.h"
#include "shared/sealing/octets.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::sealing {
namespace {

constexpr std::byte kVersion{1};
constexpr std::size_t kFingerprint = 16;

Bytes signed_text(const crypto::SpiffeId& agent, Generation generation, std::span<const std::byte> point) {
  Bytes text;
  append(text, as_bytes(kStatementLabel));
  text.push_back(std::byte{0});
  append_framed(text, agent.org.value);
  append_framed(text, agent.agent.value);
  append_number<4>(text, generation);
  append(text, point);
  return text;
}

std::unexpected<Error> broken(std::string_view what) {
  return fail(Errc::invalid, fmt::format("no statement of a sealing key: {}", what));
}

Result<crypto::Certificate> take_certificate(OctetReader& reader) {
  SP_TRY(const auto der, reader.framed());
  SP_TRY(auto certificate, crypto::Certificate::from_der(der));
  if (!std::ranges::equal(certificate.der(), der)) return broken("a certificate is not written in DER");
  return certificate;
}

void append_certificate(Bytes& to, const crypto::Certificate& certificate) {
  const Bytes der = certificate.der();
  append_number<2>(to, der.size());
  append(to, der);
}

Result<Statement> take_statement(OctetReader& reader) {
  SP_TRY(const auto version, reader.take(1));
  if (version[0] != kVersion) return broken("another version");
  SP_TRY(const auto generation, reader.number<4>());
  if (generation == 0) return broken("generation 0");
  SP_TRY(const auto point, reader.take(crypto::kPointSize));
  SP_CHECK(crypto::PublicKey::from_point(point));
  SP_TRY(auto leaf, take_certificate(reader));
  SP_TRY(auto issuer, take_certificate(reader));
  SP_TRY(const auto signature, reader.framed());
  if (signature.empty() || signature.size() > crypto::kMaxSignature) return broken("no signature");
  if (!reader.empty()) return broken("bytes after its end");
  return Statement{static_cast<Generation>(generation), Bytes(point.begin(), point.end()),
                   crypto::ClientChain{std::move(leaf), std::move(issuer)}, Bytes(signature.begin(), signature.end())};
}

}  // namespace

Result<Statement> make_statement(const crypto::SpiffeId& agent, Generation generation,
                                 const crypto::PrivateKey& sealing_key, const crypto::PrivateKey& certificate_key,
                                 crypto::ClientChain chain) {
  if (generation == 0) return fail(Errc::internal, "sealing keys count from 1");
  Bytes point = sealing_key.public_point();
  SP_TRY(auto signature, crypto::sign(certificate_key, signed_text(agent, generation, point)));
  return Statement{generation, std::move(point), std::move(chain), std::move(signature)};
}

Bytes to_bytes(const Statement& statement) {
  Bytes bytes{kVersion};
  append_number<4>(bytes, statement.generation);
  append(bytes, statement.point);
  append_certificate(bytes, statement.chain.leaf);
  append_certificate(bytes, statement.chain.issuer);
  append_number<2>(bytes, statement.signature.size());
  append(bytes, statement.signature);
  return bytes;
}

Result<Statement> parse_statement(std::span<const std::byte> bytes) {
  if (bytes.size() > kMostStatement) return broken("too long");
  OctetReader reader(bytes);
  auto statement = take_statement(reader);
  if (!statement) return fail(Errc::invalid, std::move(statement).error().message);
  return statement;
}

Result<Recipient> verify_statement(const Statement& statement, const crypto::Certificate& root, WallTime now) {
  SP_TRY(auto agent, crypto::verify_client_chain(statement.chain, root, now));
  if (!crypto::has_signed(statement.chain.leaf, signed_text(agent, statement.generation, statement.point),
                          statement.signature)) {
    return fail(Errc::unauthenticated, fmt::format("agent {} has not signed this sealing key", agent.agent.value));
  }
  SP_TRY(auto key, crypto::PublicKey::from_point(statement.point));
  return Recipient{std::move(agent), statement.generation, std::move(key)};
}

std::string fingerprint_of(std::span<const std::byte> point) {
  const auto digest = crypto::sha256(as_text(point));
  const auto digits = hex(std::span(digest).first(kFingerprint));
  std::string grouped;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    if (i > 0) grouped += '-';
    grouped += digits.substr(i, 4);
  }
  return grouped;
}

}  // namespace sallyport::sealing
