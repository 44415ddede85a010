#pragma once

#include "agent/vault/vault.h"
#include "shared/recipe/fields.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What the readers of the three configuration files share.
namespace sallyport::policy {

// "512", "64KiB", "10MiB", "1GiB", "1TiB"; nullopt for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);

// An absolute path: relative ones are taken from `directory`, the folder of the configuration file.
std::string resolve_path(std::string_view path, std::string_view directory);

struct SizeRange {
  std::uint64_t min = 0;
  std::uint64_t max = 1ULL << 50;
};
std::optional<std::uint64_t> read_size(yaml::FieldReader& fields, std::string_view name, SizeRange range = {});

// `<key>_file` or `<key>_env`. Reports `<key>` itself (a secret must not stand in a file that people copy around), and
// both at once.
vault::SecretRef read_local_secret_ref(yaml::FieldReader& fields, const std::string& key, std::string_view directory);
// The same, or `<key>_system_key`: "KEY", whose value `password` it is, or "KEY/VALUE".
vault::SecretRef read_secret_ref(yaml::FieldReader& fields, const std::string& key, std::string_view directory);

// A certificate that this agent shows, and its key: both or none.
struct ClientCertificate {
  std::string file;  // PEM
  vault::SecretRef key;
};
ClientCertificate read_client_certificate(yaml::FieldReader& fields, std::string_view directory);

// `root` of a server's files: no slash at its end, "." when it is left out.
std::string read_remote_root(yaml::FieldReader& fields);
bool has_control(std::string_view text);  // characters

// ^[a-z][a-z0-9_-]{0,62}$: connections, commands, tunnels.
bool is_config_name(std::string_view name);
void check_name(yaml::Report& report, const yaml::Member& member, std::string_view what);

// The places in `known` of the words of a required list; reports the words that are not there.
std::vector<std::size_t> read_words(yaml::FieldReader& fields, std::string_view name,
                                    std::span<const std::string_view> known);

// A host that is this machine by its name or address, so that nothing crosses a network.
bool is_this_machine(std::string_view host);

// `version: 1` at the top of a file; may be left out.
void read_version(yaml::FieldReader& fields);

// "host" and "port" of "host:port" or "[v6]:port"; a port of 0 when there is none.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace sallyport::policy
