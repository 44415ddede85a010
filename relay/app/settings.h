#pragma once

#include "relay/app/archive_settings.h"
#include "relay/app/key_settings.h"
#include "relay/app/log_settings.h"
#include "relay/app/organisation_key_settings.h"
#include "relay/domain/tunnel.h"
#include "shared/base/log.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::app {

struct HostPort {
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
};
// "host:port" or "[::1]:port"; the host is a name or an IP address by its characters, no more is checked.
Result<HostPort> parse_host_port(std::string_view text);
std::string to_string(const HostPort& address);
// The same with an IP address for the host: something to listen on.
Result<HostPort> parse_listen_address(std::string_view text);
// "https://host[:port][/path]" in at most 255 printable characters: it goes into enrolment strings.
Result<void> check_api_url(std::string_view url);

// relay.yaml in the data directory (docs/operations/relay.md). Strict: an unknown key is an error with its line.
struct Settings {
  HostPort api_listen{"127.0.0.1", 8443};   // IP address and port of the web API
  std::string api_url;                      // how people reach it
  HostPort link_listen{"127.0.0.1", 8444};  // IP address and port agents dial
  HostPort link_address;                    // how agents reach it: name and port, in the server certificate
  std::vector<HostPort> link_addresses;     // where they dial their links, in this order; none: link_address
  std::uint32_t links_per_agent = 2;
  std::chrono::milliseconds link_drain{5'000};  // what links have left when the relay stops
  LogLevel log_level = LogLevel::info;
  LogSettings logs;
  ArchiveSettings archives;  // that organisations may choose from
  std::chrono::milliseconds lease{60'000};
  std::chrono::milliseconds failover{60'000};
  std::vector<std::string> tunnel_networks = domain::default_listen_networks();  // where tunnels may listen (CIDR)
  domain::PortRange tunnel_ports = domain::kDefaultListenPorts;                  // and on which ports
  std::uint32_t tunnel_connections = 5'000;                                      // of all tunnels together
  KeySettings keys;                                                              // where the master key is kept
  KeyBackupSettings key_backups;
  std::chrono::seconds key_cache{270};        // how long an unwrapped key is used
  OrganisationKeySettings organisation_keys;  // where organisations may keep keys of their own
};

// Whether anybody could dial the addresses that this relay gives away: no 0.0.0.0, an https URL of a host, not one port
// to listen on for both.
Result<void> check_reachable(const Settings& settings);
// Whether people and agents have a listening address each, or the same one for both: addresses of which one takes the
// other's port on every address ([::] takes IPv4 as well) cannot be served.
Result<void> check_listeners(const Settings& settings);
bool share_one_port(const Settings& settings);  // people and agents: told apart by what they offer in TLS
std::string host_of(std::string_view url);      // "https://[::1]:8443/" -> "::1"

// Every problem of the file in one error message, a line each. At most 64 KiB.
Result<Settings> load_settings(const std::filesystem::path& file);
std::string settings_text(const Settings& settings);  // what `init` writes

// The data directory: everything this relay keeps.
struct DataDirectory {
  std::filesystem::path root;

  std::filesystem::path settings() const { return root / "relay.yaml"; }
  std::filesystem::path deployment() const { return root / "deployment"; }
  std::filesystem::path database() const { return root / "relay.db"; }
  std::filesystem::path logs() const { return root / "logs"; }
  std::filesystem::path lock() const { return root / "relay.lock"; }
  std::filesystem::path keys() const { return root / "keys"; }  // apart from the data: never in its backups
  std::filesystem::path master_key() const { return keys() / "master.key"; }
  std::filesystem::path key_database() const { return keys() / "keys.db"; }
  std::filesystem::path clock() const { return root / "clock"; }  // the time that was believed last
  std::filesystem::path anchor() const { return keys() / "anchor"; }
  std::filesystem::path first_token() const { return root / "first-owner.token"; }  // until it was handed over
};

// Whether `path` is `outer` or lies in it, links followed; neither has to be there.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& outer);

// Where backups of keys.db go.
std::filesystem::path key_backup_folder(const DataDirectory& data, const Settings& settings);

}  // namespace sallyport::app
