#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace sallyport::policy {
namespace {

using namespace std::string_view_literals;
using yaml::FieldReader;
using yaml::Need;

// No SHA-1, no CBC, no MAC that is computed before encryption: what RFC 9142 and RFC 8332 leave, and OpenSSH offers.
constexpr std::array kKeyExchange{"curve25519-sha256"sv,
                                  "curve25519-sha256@libssh.org"sv,
                                  "ecdh-sha2-nistp256"sv,
                                  "ecdh-sha2-nistp384"sv,
                                  "ecdh-sha2-nistp521"sv,
                                  "diffie-hellman-group16-sha512"sv,
                                  "diffie-hellman-group18-sha512"sv,
                                  "diffie-hellman-group14-sha256"sv,
                                  "diffie-hellman-group-exchange-sha256"sv};
constexpr std::array kHostKey{"ssh-ed25519"sv,         "ecdsa-sha2-nistp256"sv, "ecdsa-sha2-nistp384"sv,
                              "ecdsa-sha2-nistp521"sv, "rsa-sha2-512"sv,        "rsa-sha2-256"sv};
// libssh2 computes GCM in pieces of 16 bytes, at twice the cost of CTR with a MAC.
constexpr std::array kCiphers{"aes128-ctr"sv, "aes256-ctr"sv, "aes192-ctr"sv, "aes128-gcm@openssh.com"sv,
                              "aes256-gcm@openssh.com"sv};
constexpr std::array kMacs{"hmac-sha2-256-etm@openssh.com"sv, "hmac-sha2-512-etm@openssh.com"sv};

std::vector<std::string> read_algorithms(FieldReader& fields, std::string_view name,
                                         std::span<const std::string_view> allowed) {
  auto chosen = fields.texts(name);
  for (const auto& algorithm : chosen) {
    if (std::ranges::find(allowed, algorithm) != allowed.end()) continue;
    fields.problem(name, "bad-choice",
                   fmt::format("`{}` has no {}; it takes {}{}", name, yaml::quoted(algorithm), fmt::join(allowed, ", "),
                               yaml::suggestion(algorithm, allowed)));
  }
  if (chosen.empty()) chosen.assign(allowed.begin(), allowed.end());
  return chosen;
}

SshAlgorithms read_all_algorithms(FieldReader& outer) {
  const auto* node = outer.mapping("algorithms");
  if (node == nullptr) {
    const auto all = [](auto& names) { return std::vector<std::string>(names.begin(), names.end()); };
    return {all(kKeyExchange), all(kHostKey), all(kCiphers), all(kMacs)};
  }
  FieldReader fields(*node, outer.report(), "`algorithms`");
  SshAlgorithms algorithms{read_algorithms(fields, "key_exchange", kKeyExchange),
                           read_algorithms(fields, "host_key", kHostKey), read_algorithms(fields, "ciphers", kCiphers),
                           read_algorithms(fields, "macs", kMacs)};
  fields.finish();
  return algorithms;
}

std::vector<HostKey> read_host_keys(FieldReader& fields) {
  std::vector<HostKey> keys;
  const auto texts = fields.texts("host_keys", Need::required);
  if (texts.empty() && fields.any("host_keys") != nullptr)
    fields.problem("host_keys", "no-host-key",
                   "`host_keys` must hold at least one key: a server is never trusted unseen");
  for (const auto& text : texts) {
    auto key = parse_host_key(text);
    if (key) {
      keys.push_back(*std::move(key));
    } else {
      fields.problem("host_keys", "bad-host-key",
                     fmt::format("{} is no host key: {}", yaml::quoted(text.substr(0, 80)), key.error().message));
    }
  }
  return keys;
}

// A key whose type is known is asked for first: a server with several shows the one that was pinned.
void prefer_pinned(SshAlgorithms& algorithms, const std::vector<HostKey>& keys) {
  const auto is_pinned = [&](const std::string& algorithm) {
    const auto type = algorithm.starts_with("rsa-") ? "ssh-rsa"sv : std::string_view(algorithm);
    return std::ranges::find(keys, type, &HostKey::type) != keys.end();
  };
  std::vector<std::string> others;
  std::ranges::remove_copy_if(algorithms.host_key, std::back_inserter(others), is_pinned);
  std::erase_if(algorithms.host_key, [&](const std::string& algorithm) { return !is_pinned(algorithm); });
  std::ranges::move(others, std::back_inserter(algorithms.host_key));
}

}  // namespace

SshConnection read_ssh(FieldReader& fields, std::string_view directory) {
  SshConnection ssh;
  ssh.host = fields.text("host", Need::required).value_or("");
  ssh.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(ssh.port));
  ssh.user = fields.text("user", Need::required).value_or("");
  ssh.key = read_secret_ref(fields, "key", directory);
  ssh.key_passphrase = read_secret_ref(fields, "key_passphrase", directory);
  ssh.password = read_secret_ref(fields, "password", directory);
  if (!ssh.key && !ssh.password)
    fields.problem("user", "no-credentials",
                   "give a private key (`key_file`, ...) or a password (`password_file`, ...)");
  ssh.host_keys = read_host_keys(fields);
  ssh.algorithms = read_all_algorithms(fields);
  prefer_pinned(ssh.algorithms, ssh.host_keys);
  ssh.root = read_remote_root(fields);
  ssh.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(ssh.pool));
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  ssh.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(ssh.connect_timeout);
  ssh.keep_alive = fields.duration("keep_alive", kPatience).value_or(ssh.keep_alive);
  return ssh;
}

}  // namespace sallyport::policy
