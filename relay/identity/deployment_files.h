#pragma once

#include "relay/identity/deployment.h"
#include "relay/identity/private_file.h"

#include <optional>
#include <string_view>

// The files of a deployment's directory; for deployment.cc and root_rotation.cc only.
namespace sallyport::identity::files {

inline constexpr std::string_view kTrustDomain = "trust-domain";
inline constexpr std::string_view kRoot = "root.pem";
inline constexpr std::string_view kRootKey = "root.key";
inline constexpr std::string_view kServer = "server.pem";
inline constexpr std::string_view kNextRoot = "next-root.pem";
inline constexpr std::string_view kNextRootKey = "next-root.key";
inline constexpr std::string_view kNextCross = "next-root.cross.pem";
inline constexpr std::string_view kNextServer = "next-server.pem";
inline constexpr std::string_view kOldRoot = "old-root.pem";
inline constexpr std::string_view kOldRootKey = "old-root.key";
inline constexpr std::string_view kCross = "cross.pem";

struct StoredServer {
  crypto::ServerCertificate server;
  bool has_cross = false;
};

// not_found: there is no such file.
Result<crypto::Certificate> read_certificate(const std::filesystem::path& file);
Result<crypto::PrivateKey> read_key(const std::filesystem::path& file);
Result<StoredServer> read_server(const std::filesystem::path& file);
// Key, certificate and, for those who trust the root before, the cross certificate.
Secret format_server(const crypto::ServerCertificate& server, const std::optional<Predecessor>& before);

// What a reading of an optional file gave: nothing when there is none.
template <class T>
Result<std::optional<T>> if_present(Result<T> read) {
  if (!read && read.error().code == Errc::not_found) return std::nullopt;
  if (!read) return std::unexpected(std::move(read).error());
  return std::optional(*std::move(read));
}

std::vector<std::string> names_of(const crypto::Certificate& server);

}  // namespace sallyport::identity::files
