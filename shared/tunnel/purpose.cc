#include "shared/tunnel/purpose.h"

#include "shared/base/host.h"
#include "shared/mux/frame.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

namespace sallyport::tunnel {
namespace {

static_assert(kTunnelService.size() + 1 + kMaxTargetHost + std::string_view(":65535").size() <= mux::kMaxText);

std::unexpected<Error> wrong(std::string_view why) {
  return fail(Errc::invalid, fmt::format("not a target (host:port, or [IPv6 address]:port): {}", why));
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto* const end = std::to_address(text.end());
  const auto [stop, problem] = std::from_chars(std::to_address(text.begin()), end, port);
  if (text.empty() || problem != std::errc() || stop != end || text.front() == '0') {
    return wrong("the port is not a number from 1 to 65535");
  }
  return port;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const auto split = bracketed ? text.find("]:") : text.find(':');
  if (split == std::string_view::npos) return wrong("the port is missing");
  const auto host = bracketed ? text.substr(1, split - 1) : text.substr(0, split);
  if (bracketed && !host.contains(':')) return wrong("brackets are for IPv6 addresses");
  if (host.size() > kMaxTargetHost) return wrong(fmt::format("its host has more than {} characters", kMaxTargetHost));
  SP_TRY(const auto port, parse_port(text.substr(split + (bracketed ? 2 : 1))));
  auto canonical = canonical_host(host);
  if (!canonical) return wrong(canonical.error().message);
  return Target{*std::move(canonical), port};
}

std::string to_string(const Target& target) {
  return target.host.contains(':') ? fmt::format("[{}]:{}", target.host, target.port)
                                   : fmt::format("{}:{}", target.host, target.port);
}

std::string purpose_of(std::string_view service, const Target& target) {
  return fmt::format("{} {}", service, to_string(target));
}

}  // namespace sallyport::tunnel
