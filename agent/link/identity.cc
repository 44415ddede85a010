#include "agent/link/identity.h"

#include "agent/platform/secret_file.h"

#include <fmt/format.h>

namespace sallyport::agent {
namespace {

constexpr std::string_view kFormat = "sallyport-identity: 1";
constexpr std::string_view kKeyEnd = "-----END PRIVATE KEY-----\n";
constexpr std::string_view kKeyBegin = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::size_t kMaxFile = 64u << 10;
constexpr std::size_t kMaxChain = 8;

std::unexpected<Error> broken(std::string_view what) {
  return fail(Errc::invalid, fmt::format("the identity file is damaged ({}): enrol again", what));
}

// "name: value" of the lines before the key.
std::optional<std::string> field(std::string_view head, std::string_view name) {
  const auto wanted = fmt::format("\n{}: ", name);
  const auto at = head.find(wanted);
  if (at == std::string_view::npos) return std::nullopt;
  const auto value = head.substr(at + wanted.size());
  return std::string(value.substr(0, value.find('\n')));
}

}  // namespace

Result<void> check_identity(const Identity& identity) {
  const auto wrong = [](std::string_view what) {
    return fail(Errc::invalid, fmt::format("the identity does not fit together: {}", what));
  };
  if (identity.chain.size() != 2) return wrong("not exactly a certificate and its issuer");
  const auto& leaf = identity.chain[0];
  if (leaf.public_key_der() != identity.key.public_key_der()) return wrong("the certificate is for another key");
  const auto names = leaf.alt_names();
  const bool named =
      names.size() == 1 && names[0].kind == crypto::AltName::Kind::uri && names[0].text == to_string(identity.id);
  if (!named) return wrong("the certificate names somebody else");
  if (!leaf.signed_by(identity.chain[1])) return wrong("the issuer did not sign the certificate");
  if (!identity.chain[1].signed_by(identity.root)) return wrong("the root did not sign the issuer");
  return {};
}

Secret format_identity(const Identity& identity) {
  std::string text = fmt::format("{}\nrelay: {}\nagent: {}\ngroup: {}\n", kFormat, to_string(identity.relay),
                                 to_string(identity.id), identity.group);
  if (!identity.web.empty()) text += fmt::format("web: {}\n", identity.web);
  text += identity.key.to_pem().reveal();
  text += crypto::to_pem_bundle(identity.chain);
  text += identity.root.pem();
  return Secret::take(text);
}

Result<Identity> parse_identity(std::string_view text) {
  if (text.size() > kMaxFile) return broken("too long");
  const auto begin = text.find(kKeyBegin);
  const auto end = text.find(kKeyEnd);
  if (!text.starts_with(kFormat)) return broken("another format");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return broken("no key");
  const auto head = text.substr(0, begin);
  const auto relay = field(head, "relay");
  const auto agent = field(head, "agent");
  const auto group = field(head, "group");
  if (!relay || !agent || !group) return broken("a line is missing");
  auto endpoint = parse_endpoint(*relay, 0);
  auto id = crypto::parse_spiffe_id(*agent);
  if (!endpoint || !id) return broken("relay or agent");

  const auto after_key = end + kKeyEnd.size();
  auto key = crypto::PrivateKey::from_pem(Secret::take(std::string(text.substr(begin, after_key - begin))));
  if (!key) return broken("key");
  auto certificates = crypto::parse_pem_bundle(text.substr(after_key), kMaxChain);
  if (!certificates || certificates->size() != 3) return broken("certificates");
  Identity identity{*endpoint,
                    *group,
                    *id,
                    *std::move(key),
                    {(*certificates)[0], (*certificates)[1]},
                    (*certificates)[2],
                    field(head, "web").value_or("")};
  SP_CHECK(check_identity(identity));
  return identity;
}

Result<Identity> FileIdentityStore::load() const {
  auto text = platform::read_secret_file(path_, kMaxFile);
  if (!text && text.error().code == Errc::not_found) {
    return fail(
        Errc::not_found,
        fmt::format("there is no identity in {}: run \"sallyport-agent enrol\" with an enrolment string first", path_));
  }
  if (!text) return std::unexpected(std::move(text.error()));
  auto identity = parse_identity(text->reveal());
  if (!identity) return in_context(path_, std::move(identity.error()));
  return identity;
}

Result<void> FileIdentityStore::install(const Identity& identity) {
  SP_CHECK(check_identity(identity));
  return platform::write_secret_file(path_, format_identity(identity).reveal());
}

}  // namespace sallyport::agent
