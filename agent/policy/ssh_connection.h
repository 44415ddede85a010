#pragma once

#include "agent/vault/vault.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// A host key that the operator has pinned.
struct HostKey {
  std::string fingerprint;  // "SHA256:" and 43 characters, as OpenSSH shows it
  std::string type;         // "ssh-ed25519"; empty when only the fingerprint is known
};

// A line of known_hosts (whose host names are not looked at), "ssh-ed25519 AAAA...", or "SHA256:...". Errors: invalid,
// with the reason.
Result<HostKey> parse_host_key(std::string_view text);

// What "SHA256:" stands in front of, for a host key as it came over the wire (RFC 4253 section 6.6).
std::string fingerprint_of(std::span<const std::byte> key);

// What may be negotiated: names of RFC 4253 section 6 and its successors, the preferred first.
struct SshAlgorithms {
  std::vector<std::string> key_exchange;
  std::vector<std::string> host_key;
  std::vector<std::string> ciphers;
  std::vector<std::string> macs;
};

// A server that is reached over SSH: its files, and commands of the local policy.
struct SshConnection {
  std::string host;
  std::uint16_t port = 22;
  std::string user;
  vault::SecretRef key;             // a private key in PEM or OpenSSH's form
  vault::SecretRef key_passphrase;  // of `key`, when it has one
  vault::SecretRef password;        // also the answer to every question of keyboard-interactive
  std::vector<HostKey> host_keys;   // the server must show one of these
  SshAlgorithms algorithms;
  std::string root = ".";  // the directory on the server that no path leaves; relative: below where the login leads
  std::uint32_t pool = 4;  // sessions at the same time
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  // After so long without a word the server is asked for one; after three times that the session is given up.
  std::chrono::milliseconds keep_alive = std::chrono::seconds(15);
};

}  // namespace sallyport::policy
