#include "relay/identity/deployment.h"

#include "relay/identity/private_file.h"

#include <fmt/format.h>

namespace sallyport::identity {
namespace {

constexpr auto kTrustDomainFile = "trust-domain";
constexpr auto kRootFile = "root.pem";
constexpr auto kRootKeyFile = "root.key";
constexpr auto kServerFile = "server.pem";

Result<void> write_server(const std::filesystem::path& directory, const crypto::ServerCertificate& server) {
  const auto key = server.key.to_pem();
  auto both = std::string(key.reveal()) + server.certificate.pem();
  const auto content = Secret::take(both);
  return replace_file(directory / kServerFile, content.reveal(), Readers::owner);
}

Result<crypto::ServerCertificate> read_server(const std::filesystem::path& directory) {
  SP_TRY(const auto pem, read_file(directory / kServerFile, Readers::owner));
  SP_TRY(auto key, crypto::PrivateKey::from_pem(pem));
  SP_TRY(auto certificate, crypto::Certificate::from_pem(pem.reveal()));
  return crypto::ServerCertificate{std::move(certificate), std::move(key)};
}

Result<std::optional<crypto::PrivateKey>> read_root_key(const std::filesystem::path& directory) {
  auto pem = read_file(directory / kRootKeyFile, Readers::owner);
  if (!pem && pem.error().code == Errc::not_found) return std::nullopt;
  if (!pem) return std::unexpected(std::move(pem).error());
  SP_TRY(auto key, crypto::PrivateKey::from_pem(*pem));
  return std::optional(std::move(key));
}

Result<std::string> read_trust_domain(const std::filesystem::path& directory) {
  SP_TRY(const auto content, read_file(directory / kTrustDomainFile, Readers::everybody));
  std::string domain(content.reveal());
  if (domain.ends_with('\n')) domain.pop_back();
  if (!crypto::is_trust_domain(domain)) return fail(Errc::invalid, "the file trust-domain is malformed");
  return domain;
}

Result<crypto::Certificate> read_root(const std::filesystem::path& directory) {
  SP_TRY(const auto pem, read_file(directory / kRootFile, Readers::everybody));
  return crypto::Certificate::from_pem(pem.reveal());
}

Result<void> check(const Deployment& deployment) {
  const auto& root = deployment.root;
  const auto& server = deployment.server;
  if (!root.ca() || !root.signed_by(root)) return fail(Errc::invalid, "root.pem is not a root certificate");
  if (deployment.root_key && deployment.root_key->public_key_der() != root.public_key_der()) {
    return fail(Errc::invalid, "root.key is not the key of root.pem");
  }
  if (!server.certificate.signed_by(root)) return fail(Errc::invalid, "server.pem is not issued by root.pem");
  if (server.key.public_key_der() != server.certificate.public_key_der()) {
    return fail(Errc::invalid, "the key in server.pem is not that of its certificate");
  }
  return {};
}

Result<Deployment> read_all(const std::filesystem::path& directory) {
  SP_TRY(auto trust_domain, read_trust_domain(directory));
  SP_TRY(auto root, read_root(directory));
  SP_TRY(auto root_key, read_root_key(directory));
  SP_TRY(auto server, read_server(directory));
  Deployment deployment{std::move(trust_domain), std::move(root), std::move(root_key), std::move(server)};
  SP_CHECK(check(deployment));
  return deployment;
}

std::vector<std::string> names_of(const crypto::Certificate& server) {
  std::vector<std::string> names;
  for (auto& alt : server.alt_names()) names.push_back(std::move(alt.text));
  return names;
}

Result<crypto::Authority> root_of(const Deployment& deployment) {
  if (!deployment.root_key) {
    return fail(Errc::unavailable, "the root key is offline: put root.key back to renew the server certificate");
  }
  SP_TRY(auto key, crypto::PrivateKey::from_pem(deployment.root_key->to_pem()));
  return crypto::Authority{deployment.root, std::move(key)};
}

}  // namespace

Result<Deployment> create_deployment(const std::filesystem::path& directory, const DeploymentSettings& settings,
                                     const Clock& clock) {
  if (!crypto::is_trust_domain(settings.trust_domain)) {
    return fail(Errc::invalid, "the trust domain must be a lower-case DNS name");
  }
  SP_CHECK(make_private_directory(directory));
  // Written last: a deployment without it was never finished, so nothing can depend on it.
  if (std::filesystem::exists(directory / kTrustDomainFile)) {
    return fail(Errc::conflict, fmt::format("{} holds a deployment already", directory.string()));
  }
  SP_TRY(auto root, crypto::make_root("Sallyport root " + settings.trust_domain, clock));
  SP_TRY(auto server, crypto::make_server_certificate(root, settings.server_names, clock));
  SP_CHECK(replace_file(directory / kRootKeyFile, root.key.to_pem().reveal(), Readers::owner));
  SP_CHECK(replace_file(directory / kRootFile, root.certificate.pem(), Readers::everybody));
  SP_CHECK(write_server(directory, server));
  SP_CHECK(replace_file(directory / kTrustDomainFile, settings.trust_domain + "\n", Readers::everybody));
  return load_deployment(directory);
}

Result<Deployment> load_deployment(const std::filesystem::path& directory) {
  auto deployment = read_all(directory);
  if (deployment) return deployment;
  auto error = std::move(deployment).error();
  error.code = Errc::invalid;
  return in_context(fmt::format("reading the deployment's identity in {}", directory.string()), std::move(error));
}

bool needs_server_renewal(const Deployment& deployment, const Clock& clock) {
  const auto& certificate = deployment.server.certificate;
  const auto life = certificate.not_after() - certificate.not_before();
  return clock.wall() >= certificate.not_after() - life / 3;
}

Result<crypto::ServerCertificate> renew_server_certificate(const std::filesystem::path& directory,
                                                           const Deployment& deployment,
                                                           std::vector<std::string> server_names, const Clock& clock) {
  SP_TRY(const auto root, root_of(deployment));
  if (server_names.empty()) server_names = names_of(deployment.server.certificate);
  SP_TRY(auto server, crypto::make_server_certificate(root, std::move(server_names), clock));
  SP_CHECK(write_server(directory, server));
  return server;
}

}  // namespace sallyport::identity
