#include "relay/identity/deployment.h"

#include "relay/identity/deployment_files.h"

#include <fmt/format.h>

namespace sallyport::identity {
namespace files {

Result<crypto::Certificate> read_certificate(const std::filesystem::path& file) {
  SP_TRY(const auto pem, read_file(file, Readers::everybody));
  return crypto::Certificate::from_pem(pem.reveal());
}

Result<crypto::PrivateKey> read_key(const std::filesystem::path& file) {
  SP_TRY(const auto pem, read_file(file, Readers::owner));
  return crypto::PrivateKey::from_pem(pem);
}

Result<StoredServer> read_server(const std::filesystem::path& file) {
  SP_TRY(const auto pem, read_file(file, Readers::owner));
  SP_TRY(auto key, crypto::PrivateKey::from_pem(pem));
  SP_TRY(auto chain, crypto::parse_pem_bundle(pem.reveal(), 2));
  return StoredServer{{std::move(chain.front()), std::move(key)}, chain.size() > 1};
}

Secret format_server(const crypto::ServerCertificate& server, const std::optional<Predecessor>& before) {
  const auto key = server.key.to_pem();
  auto text = std::string(key.reveal()) + server.certificate.pem() + (before ? before->cross.pem() : "");
  return Secret::take(text);
}

std::vector<std::string> names_of(const crypto::Certificate& server) {
  std::vector<std::string> names;
  for (auto& alt : server.alt_names()) names.push_back(std::move(alt.text));
  return names;
}

}  // namespace files

namespace {

Result<std::string> read_trust_domain(const std::filesystem::path& directory) {
  SP_TRY(const auto content, read_file(directory / files::kTrustDomain, Readers::everybody));
  std::string domain(content.reveal());
  if (domain.ends_with('\n')) domain.pop_back();
  if (!crypto::is_trust_domain(domain)) return fail(Errc::invalid, "the file trust-domain is malformed");
  return domain;
}

bool is_key_of(const crypto::PrivateKey& key, const crypto::Certificate& certificate) {
  return key.public_key_der() == certificate.public_key_der();
}

// The root that is prepared, or the present one when a switch to it was cut short. A standby that cannot be read is no
// reason to stop a relay.
std::optional<crypto::Certificate> read_next(const std::filesystem::path& directory) {
  auto next = files::read_certificate(directory / files::kNextRoot);
  return next ? std::optional(*std::move(next)) : std::nullopt;
}

// An old root that is the present one belongs to a switch that was cut short before it took place.
Result<std::optional<Predecessor>> read_predecessor(const std::filesystem::path& directory,
                                                    const crypto::Certificate& root) {
  SP_TRY(auto old_root, files::if_present(files::read_certificate(directory / files::kOldRoot)));
  if (!old_root || *old_root == root) return std::nullopt;
  SP_TRY(auto cross, files::read_certificate(directory / files::kCross));
  Predecessor before{*std::move(old_root), std::move(cross)};
  if (auto fits = crypto::check_succession(before, root); !fits)
    return in_context("old-root.pem and cross.pem", fits.error());
  return std::optional(std::move(before));
}

struct Roots {
  const crypto::Certificate& root;
  bool unsettled;  // a switch was cut short after it took place: next-root.* are the present root's
};

Result<std::optional<crypto::PrivateKey>> read_root_key(const std::filesystem::path& directory, const Roots& of) {
  SP_TRY(auto key, files::if_present(files::read_key(directory / files::kRootKey)));
  if (key && is_key_of(*key, of.root)) return key;
  if (of.unsettled) {
    SP_TRY(auto next, files::if_present(files::read_key(directory / files::kNextRootKey)));
    if (!next || is_key_of(*next, of.root)) return next;
  }
  if (key) return fail(Errc::invalid, "root.key is not the key of root.pem");
  return std::nullopt;
}

Result<crypto::ServerCertificate> read_server_of(const std::filesystem::path& directory, const Roots& of) {
  SP_TRY(auto stored, files::read_server(directory / files::kServer));
  if (of.unsettled && !stored.server.certificate.signed_by(of.root)) {
    SP_TRY(stored, files::read_server(directory / files::kNextServer));
  }
  const auto& server = stored.server;
  if (!server.certificate.signed_by(of.root)) return fail(Errc::invalid, "server.pem is not issued by root.pem");
  if (!is_key_of(server.key, server.certificate)) {
    return fail(Errc::invalid, "the key in server.pem is not that of its certificate");
  }
  return std::move(stored.server);
}

Result<Deployment> read_all(const std::filesystem::path& directory) {
  SP_TRY(auto trust_domain, read_trust_domain(directory));
  SP_TRY(auto root, files::read_certificate(directory / files::kRoot));
  if (!root.ca() || !root.signed_by(root)) return fail(Errc::invalid, "root.pem is not a root certificate");
  SP_TRY(auto predecessor, read_predecessor(directory, root));
  auto next = read_next(directory);
  const Roots of{root, next && *next == root};
  SP_TRY(auto root_key, read_root_key(directory, of));
  SP_TRY(auto server, read_server_of(directory, of));
  if (of.unsettled) next.reset();
  return Deployment{std::move(trust_domain), root,           std::move(root_key), std::move(server),
                    std::move(predecessor),  std::move(next)};
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
  if (std::filesystem::exists(directory / files::kTrustDomain)) {
    return fail(Errc::conflict, fmt::format("{} holds a deployment already", directory.string()));
  }
  SP_TRY(auto root, crypto::make_root("Sallyport root " + settings.trust_domain, clock));
  SP_TRY(auto server, crypto::make_server_certificate(root, settings.server_names, clock));
  SP_CHECK(replace_file(directory / files::kRootKey, root.key.to_pem().reveal(), Readers::owner));
  SP_CHECK(replace_file(directory / files::kRoot, root.certificate.pem(), Readers::everybody));
  SP_CHECK(replace_file(directory / files::kServer, files::format_server(server, {}).reveal(), Readers::owner));
  SP_CHECK(replace_file(directory / files::kTrustDomain, settings.trust_domain + "\n", Readers::everybody));
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
  const auto now = clock.wall();
  const auto life = certificate.not_after() - certificate.not_before();
  return now < certificate.not_before() || now >= certificate.not_after() - life / 3;
}

Result<crypto::ServerCertificate> renew_server_certificate(const std::filesystem::path& directory,
                                                           const Deployment& deployment,
                                                           std::vector<std::string> server_names, const Clock& clock) {
  SP_TRY(const auto root, root_of(deployment));
  if (server_names.empty()) server_names = files::names_of(deployment.server.certificate);
  SP_TRY(auto server, crypto::make_server_certificate(root, std::move(server_names), clock));
  SP_TRY(const auto lock, DirectoryLock::take(directory, kNoPatience));
  SP_TRY(const auto present, files::read_certificate(directory / files::kRoot));
  if (present != deployment.root) return fail(Errc::conflict, "another root has taken over meanwhile");
  SP_CHECK(replace_file(directory / files::kServer, files::format_server(server, deployment.predecessor).reveal(),
                        Readers::owner));
  return server;
}

}  // namespace sallyport::identity
