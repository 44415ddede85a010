#include "relay/app/settings.h"

#include "relay/app/file_paths.h"
#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/recipe/fields.h"
#include "shared/recipe/yaml.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>

namespace sallyport::app {
namespace {

using yaml::FieldReader;

constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kLogPlaces{"both", "files", "stderr"};
constexpr yaml::IntegerRange kLogMebibytes{1, 4'096};
constexpr std::size_t kMaxFile = 64u << 10;
// A lease must outlive a few of the agent's heartbeats, and fit into the wire's 32 bits of milliseconds.
constexpr yaml::DurationRange kLeases{std::chrono::seconds(10), std::chrono::hours(1)};
constexpr yaml::DurationRange kFailovers{std::chrono::seconds(1), std::chrono::hours(24)};
constexpr std::size_t kMostAddresses = 8;
constexpr yaml::IntegerRange kLinksPerAgent{1, 4};
constexpr yaml::DurationRange kDrains{std::chrono::seconds(0), std::chrono::hours(1)};
constexpr yaml::DurationRange kKeyCaches{std::chrono::seconds(1), std::chrono::seconds(270)};
constexpr yaml::IntegerRange kTunnelConnections{1, 100'000};
constexpr std::string_view kScheme = "https://";

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_' || c == ':' || c == '%';
}

// The host of "host:port" without the brackets that IPv6 needs; nothing: there is none.
std::optional<std::string_view> host_in(std::string_view text) {
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  if (bracketed) text = text.substr(1, text.size() - 2);
  const bool v6 = text.find(':') != std::string_view::npos;
  if (text.empty() || text.size() > 253 || v6 != bracketed || !std::ranges::all_of(text, is_host_character))
    return std::nullopt;
  return text;
}

std::string yaml_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void read_url(FieldReader& fields, std::string& into) {
  const auto text = fields.text("url");
  if (!text) return;
  into = *text;
  if (auto usable = check_api_url(*text); !usable) fields.problem("url", "bad-url", usable.error().message);
}

void read_address(FieldReader& fields, std::string_view name, HostPort& into,
                  Result<HostPort> (*parse)(std::string_view)) {
  const auto text = fields.text(name);
  if (!text) return;
  if (auto parsed = parse(*text)) {
    into = *parsed;
  } else {
    fields.problem(name, "bad-address", parsed.error().message);
  }
}

void read_networks(FieldReader& fields, std::vector<std::string>& into) {
  const auto* listed = fields.sequence("listen");
  if (listed == nullptr) return;
  into.clear();
  for (const auto& item : listed->items) {
    auto network = item.is_text() ? domain::canonical_network(item.text) : fail(Errc::invalid, "a network is a text");
    if (network) {
      into.push_back(*std::move(network));
    } else {
      fields.report().add(item.at, "bad-network", network.error().message);
    }
  }
}

void read_ports(FieldReader& fields, domain::PortRange& into) {
  const auto text = fields.text("ports");
  if (!text) return;
  if (const auto ports = domain::parse_port_range(*text)) {
    into = *ports;
  } else {
    fields.problem("ports", "bad-ports", ports.error().message);
  }
}

void read_addresses(FieldReader& fields, std::vector<HostPort>& into) {
  const auto* listed = fields.sequence("addresses");
  if (listed == nullptr) return;
  for (const auto& item : listed->items) {
    auto address = item.is_text() ? parse_host_port(item.text) : fail(Errc::invalid, "an address is a text");
    if (!address) {
      fields.report().add(item.at, "bad-address", address.error().message);
    } else if (into.size() == kMostAddresses) {
      return fields.report().add(item.at, "bad-address", fmt::format("at most {} addresses", kMostAddresses));
    } else {
      into.push_back(*std::move(address));
    }
  }
}

Settings read(const yaml::Node& root, yaml::Report& report) {
  Settings settings;
  FieldReader fields(root, report, "relay.yaml");
  if (const auto* api = fields.mapping("api")) {
    FieldReader inside(*api, report, "`api`");
    read_address(inside, "listen", settings.api_listen, parse_listen_address);
    read_url(inside, settings.api_url);
    inside.finish();
  }
  if (const auto* link = fields.mapping("link")) {
    FieldReader inside(*link, report, "`link`");
    read_address(inside, "listen", settings.link_listen, parse_listen_address);
    read_address(inside, "address", settings.link_address, parse_host_port);
    read_addresses(inside, settings.link_addresses);
    settings.links_per_agent =
        static_cast<std::uint32_t>(inside.integer("per_agent", kLinksPerAgent).value_or(settings.links_per_agent));
    settings.link_drain = inside.duration("drain", kDrains).value_or(settings.link_drain);
    inside.finish();
  }
  if (const auto* jobs = fields.mapping("jobs")) {
    FieldReader inside(*jobs, report, "`jobs`");
    settings.lease = inside.duration("lease", kLeases).value_or(settings.lease);
    settings.failover = inside.duration("failover", kFailovers).value_or(settings.failover);
    inside.finish();
  }
  if (const auto* tunnels = fields.mapping("tunnels")) {
    FieldReader inside(*tunnels, report, "`tunnels`");
    read_networks(inside, settings.tunnel_networks);
    read_ports(inside, settings.tunnel_ports);
    settings.tunnel_connections = static_cast<std::uint32_t>(
        inside.integer("connections", kTunnelConnections).value_or(settings.tunnel_connections));
    inside.finish();
  }
  if (const auto* keys = fields.mapping("keys")) {
    FieldReader inside(*keys, report, "`keys`");
    settings.key_cache =
        std::chrono::floor<std::chrono::seconds>(inside.duration("cache", kKeyCaches).value_or(settings.key_cache));
    settings.keys = read_key_settings(inside);
    settings.key_backups = read_key_backups(inside);
    inside.finish();
  }
  if (const auto* archives = fields.mapping("archives")) settings.archives = read_archive_settings(*archives, report);
  if (const auto* logs = fields.mapping("logs")) {
    FieldReader inside(*logs, report, "`logs`");
    if (const auto to = inside.choice("to", kLogPlaces))
      settings.logs.to = static_cast<LogSettings::To>(std::ranges::find(kLogPlaces, *to) - kLogPlaces.begin());
    if (const auto most = inside.integer("mib_per_hour", kLogMebibytes))
      settings.logs.most_per_hour = static_cast<std::uint64_t>(*most) << 20;
    inside.finish();
  }
  if (const auto* keys = fields.mapping("organisation_keys")) {
    FieldReader inside(*keys, report, "`organisation_keys`");
    settings.organisation_keys = read_organisation_keys(inside);
    inside.finish();
  }
  if (const auto level = fields.choice("log_level", kLevels)) {
    settings.log_level = static_cast<LogLevel>(std::ranges::find(kLevels, *level) - kLevels.begin());
  }
  fields.finish();
  return settings;
}

std::optional<boost::asio::ip::address> ip_of(const std::string& host) {
  boost::system::error_code problem;
  const auto address = boost::asio::ip::make_address(host, problem);
  return problem ? std::nullopt : std::optional(address);
}

bool is_wildcard(const std::string& host) {
  const auto address = ip_of(host);
  return address && address->is_unspecified();
}

// Whether one socket would be in the other's way; [::] takes IPv4 as well.
bool overlaps(const HostPort& one, const HostPort& other) {
  const auto a = ip_of(one.host), b = ip_of(other.host);
  if (one.port != other.port || !a || !b) return false;
  if (*a == *b) return true;
  const auto covers = [](const auto& wide, const auto& narrow) {
    return wide.is_unspecified() && (wide.is_v6() || narrow.is_v4());
  };
  return covers(*a, *b) || covers(*b, *a);
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  HostPort parsed;
  if (colon != std::string_view::npos) {
    const auto host = host_in(text.substr(0, colon));
    const auto port = text.substr(colon + 1);
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
    if (host && problem == std::errc() && end == port.data() + port.size() && parsed.port != 0) parsed.host = *host;
  }
  if (parsed.host.empty())
    return fail(Errc::invalid, fmt::format("\"{}\" is no address; write host:port, or [host]:port for IPv6", text));
  return parsed;
}

Result<HostPort> parse_listen_address(std::string_view text) {
  SP_TRY(auto parsed, parse_host_port(text));
  if (!ip_of(parsed.host)) {
    return fail(Errc::invalid,
                fmt::format("\"{}\" is no address to listen on; write an IP address and port, such as 127.0.0.1:{}",
                            text, parsed.port));
  }
  return parsed;
}

std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

Result<void> check_reachable(const Settings& settings) {
  if (is_wildcard(settings.link_address.host)) {
    return fail(Errc::invalid, fmt::format("agents cannot dial {}; say how they reach this relay: --link-address "
                                           "HOST:PORT (link.address in relay.yaml)",
                                           to_string(settings.link_address)));
  }
  if (!settings.api_url.starts_with("https://") || host_of(settings.api_url).empty() ||
      is_wildcard(host_of(settings.api_url))) {
    return fail(Errc::invalid, fmt::format("nobody can open \"{}\"; say how people reach this relay: --api-url "
                                           "https://HOST:PORT (api.url in relay.yaml)",
                                           settings.api_url));
  }
  return {};
}

bool share_one_port(const Settings& settings) {
  const auto api = ip_of(settings.api_listen.host);
  return api && api == ip_of(settings.link_listen.host) && settings.api_listen.port == settings.link_listen.port;
}

Result<void> check_listeners(const Settings& settings) {
  if (share_one_port(settings) || !overlaps(settings.api_listen, settings.link_listen)) return {};
  return fail(Errc::invalid,
              fmt::format("people and agents need a port each, or exactly the same one, and {} and {} are "
                          "in each other's way: choose the same for --api and --link, or another for one "
                          "of them (api.listen or link.listen in relay.yaml)",
                          to_string(settings.api_listen), to_string(settings.link_listen)));
}

Result<void> check_api_url(std::string_view url) {
  const bool printable = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  const auto rest = url.starts_with(kScheme) ? url.substr(kScheme.size()) : std::string_view();
  const auto authority = rest.substr(0, rest.find('/'));
  if (printable && url.size() <= 255 && (host_in(authority) || parse_host_port(authority))) return {};
  return fail(Errc::invalid, fmt::format("\"{}\" is no address of a web API; write https://host:port", url));
}

std::string to_string(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

Result<Settings> load_settings(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return fail(Errc::not_found, fmt::format("{} cannot be read; run sallyport-relay init first", file.string()));
  std::string text(kMaxFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFile) return fail(Errc::too_large, fmt::format("{} is over 64 KiB", file.string()));
  const auto root = yaml::parse(text, file.filename().string());
  if (!root) return std::unexpected(yaml::to_error(root.error()));
  yaml::Report report(file.filename().string());
  auto settings = read(*root, report);
  if (!report.clean()) return std::unexpected(yaml::to_error(report.take()));
  if (settings.link_address.host.empty()) settings.link_address = settings.link_listen;
  if (settings.api_url.empty()) settings.api_url = "https://" + to_string(settings.api_listen);
  count_paths_from(std::filesystem::absolute(file).parent_path(), settings);
  for (auto* check : {check_listeners, check_reachable}) {
    if (auto usable = check(settings); !usable) return in_context(file.filename().string(), std::move(usable).error());
  }
  return settings;
}

std::string settings_text(const Settings& settings) {
  std::vector<std::string> networks;
  networks.reserve(settings.tunnel_networks.size());
  for (const auto& network : settings.tunnel_networks) networks.push_back(yaml_text(network));
  return fmt::format(
      "# Settings of this relay; docs/operations/relay.md explains each.\n"
      "api:\n  listen: {}\n  url: {}\n"
      "link:\n  listen: {}\n  address: {}\n  per_agent: {}\n  drain: {}\n"
      "jobs:\n  lease: {}\n  failover: {}\n"
      "tunnels:\n  listen: [{}]\n  ports: {}\n  connections: {}\n"
      "log_level: {}\n",
      yaml_text(to_string(settings.api_listen)), yaml_text(settings.api_url),
      yaml_text(to_string(settings.link_listen)), yaml_text(to_string(settings.link_address)), settings.links_per_agent,
      format_duration(settings.link_drain), format_duration(settings.lease), format_duration(settings.failover),
      fmt::join(networks, ", "), yaml_text(domain::to_string(settings.tunnel_ports)), settings.tunnel_connections,
      kLevels[static_cast<std::size_t>(settings.log_level)]);
}

bool lies_in(const std::filesystem::path& path, const std::filesystem::path& outer) {
  std::error_code problem;
  const auto beyond = std::filesystem::weakly_canonical(path, problem)
                          .lexically_relative(std::filesystem::weakly_canonical(outer, problem));
  return !beyond.empty() && *beyond.begin() != "..";
}

std::filesystem::path key_backup_folder(const DataDirectory& data, const Settings& settings) {
  if (settings.key_backups.directory.empty()) return data.keys() / "backups";
  return settings.key_backups.directory;
}

}  // namespace sallyport::app
