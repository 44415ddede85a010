#include "agent/policy/agent_config.h"

#include "agent/policy/reading.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

using yaml::FieldReader;

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kVias{"auto", "direct", "websocket"};
constexpr std::array<std::string_view, 2> kProxyModes{"environment", "direct"};

ProxyConfig read_proxy(const yaml::Node& node, yaml::Report& report, std::string_view directory) {
  FieldReader fields(node, report, "`proxy`");
  ProxyConfig proxy;
  const auto mode = fields.choice("mode", kProxyModes);
  const auto url = fields.text("url");
  proxy.user = fields.text("user").value_or("");
  proxy.password = read_local_secret_ref(fields, "password", directory);
  fields.finish();
  if (mode && url) fields.problem("mode", "both-sources", "give either `mode` or `url`");
  if (mode == "direct") proxy.mode = ProxyConfig::Mode::direct;
  if (!url) {
    if (!proxy.user.empty() || proxy.password)
      report.add(fields.at(), "missing-field", "`user` and `password_file` need `url`");
    return proxy;
  }
  std::string_view rest = *url;
  constexpr std::string_view kScheme = "http://";
  const bool plain = rest.starts_with(kScheme);
  if (plain) rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto where = plain ? parse_host_port(rest) : std::nullopt;
  if (!where || where->port == 0) {
    fields.problem("url", "bad-url", "`url` must be http://host:port; user and password have fields of their own");
    return proxy;
  }
  proxy.mode = ProxyConfig::Mode::fixed;
  proxy.host = where->host;
  proxy.port = where->port;
  if (proxy.password && proxy.user.empty()) report.add(fields.at(), "missing-field", "a proxy password needs `user`");
  return proxy;
}

LinkConfig read_link(const yaml::Node& node, yaml::Report& report) {
  FieldReader fields(node, report, "`link`");
  LinkConfig link;
  const auto via = fields.choice("via", kVias).value_or("auto");
  link.via = static_cast<LinkConfig::Via>(std::ranges::find(kVias, via) - kVias.begin());
  if (const auto web = fields.text("web")) {
    std::string_view rest = *web;
    constexpr std::string_view kScheme = "https://";
    const bool secure = rest.starts_with(kScheme);
    if (secure) rest.remove_prefix(kScheme.size());
    if (!secure || web->size() > 255 || !parse_host_port(rest.substr(0, rest.find('/'))))
      fields.problem("web", "bad-url", "`web` must be the https:// address of the relay's web API");
    link.web = *web;
  }
  link.count = static_cast<std::uint32_t>(fields.integer("count", {1, 4}).value_or(link.count));
  fields.finish();
  return link;
}

AgentLimits read_limits(const yaml::Node& node, yaml::Report& report) {
  FieldReader fields(node, report, "`limits`");
  AgentLimits limits;
  limits.slots = static_cast<std::uint32_t>(fields.integer("slots", {1, 256}).value_or(limits.slots));
  limits.worker_threads =
      static_cast<std::uint32_t>(fields.integer("worker_threads", {1, 64}).value_or(limits.worker_threads));
  constexpr SizeRange kDisk{1ULL << 20, 1ULL << 44};
  limits.spool_bytes = read_size(fields, "spool", kDisk).value_or(limits.spool_bytes);
  limits.outbox_bytes = read_size(fields, "outbox", kDisk).value_or(limits.outbox_bytes);
  fields.finish();
  return limits;
}

LogLevel read_log(const yaml::Node& node, yaml::Report& report) {
  FieldReader fields(node, report, "`log`");
  const auto level = fields.choice("level", kLogLevels).value_or("info");
  fields.finish();
  return static_cast<LogLevel>(std::ranges::find(kLogLevels, level) - kLogLevels.begin());
}

}  // namespace

std::optional<RelayAddress> parse_relay_address(std::string_view text, std::uint16_t default_port) {
  auto where = parse_host_port(text);
  if (!where) return std::nullopt;
  return RelayAddress{std::move(where->host), where->port == 0 ? default_port : where->port};
}

std::expected<AgentConfig, yaml::Problems> parse_agent_config(std::string_view text, std::string_view file,
                                                              std::string_view directory) {
  auto root = yaml::parse(text, file);
  if (!root) return std::unexpected(std::move(root).error());
  yaml::Report report{std::string(file)};
  FieldReader fields(*root, report, "agent.yaml");
  AgentConfig config;
  read_version(fields);
  if (const auto relay = fields.text("relay")) {
    config.relay = parse_relay_address(*relay);
    if (!config.relay) fields.problem("relay", "bad-address", "`relay` must be host or host:port");
  }
  config.state_dir = resolve_path(fields.text("state_dir").value_or(config.state_dir), directory);
  if (const auto* proxy = fields.mapping("proxy")) config.proxy = read_proxy(*proxy, report, directory);
  if (const auto* link = fields.mapping("link")) config.link = read_link(*link, report);
  if (const auto* limits = fields.mapping("limits")) config.limits = read_limits(*limits, report);
  if (const auto* log = fields.mapping("log")) config.log_level = read_log(*log, report);
  fields.finish();
  if (!report.clean()) return std::unexpected(report.take());
  return config;
}

}  // namespace sallyport::policy
