#include "agent/doctor/second_way.h"

#include "agent/link/dialer.h"
#include "shared/tls/context.h"
#include "shared/tls/nested.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::doctor {
namespace asio = boost::asio;
namespace {

constexpr auto kCheck = "websocket";
constexpr std::size_t kLongestName = 256;

Finding bad(const agent::WebAddress& web, const std::string& why) {
  return {kCheck, Verdict::bad, fmt::format("no way through a WebSocket at {}: {}", to_string(web), why),
          "have HTTPS to the relay's web API allowed, WebSockets included; or correct `link.web` in agent.yaml"};
}

Finding good(const agent::WebAddress& web, const agent::Carrier& carrier, const tls::SecureStream& inside) {
  const auto& proven = inside.facts().peer_chain;
  const bool inspected = !carrier.shown.empty() && !proven.empty() && !carrier.shown.front().signed_by(proven.back());
  const auto text = fmt::format("the relay proves itself inside a WebSocket at {}", to_string(web));
  if (!inspected) return {kCheck, Verdict::good, text};
  const auto issuer = carrier.shown.front().issuer().substr(0, kLongestName);
  return {kCheck, Verdict::good,
          fmt::format("{}; outside of it somebody reads along, with a certificate issued by \"{}\", and sees sizes and "
                      "times only",
                      text, issuer)};
}

}  // namespace

asio::awaitable<Finding> examine_websocket(const Journey& journey, agent::WebAddress web, const Clock& clock) {
  const auto deadline = std::chrono::steady_clock::now() + 2 * journey.patience;
  const agent::Dialer dialer(co_await asio::this_coro::executor, journey.proxy, journey.environment);
  auto carrier = co_await agent::open_websocket(dialer, web, clock, deadline);
  if (!carrier) co_return bad(web, carrier.error().message);
  const auto context = tls::make_enrol_client_context(journey.root_pin, clock);
  if (!context) co_return bad(web, context.error().message);
  const auto inside =
      co_await tls::connect_nested_tls(std::move(carrier->stream), *context, journey.relay.host, deadline);
  if (!inside) co_return bad(web, inside.error().error.message);
  co_return good(web, *carrier, **inside);
}

void weigh_ways(NetworkReport& direct, Finding& second) {
  if (second.verdict == Verdict::good) {
    for (auto& finding : direct.findings) {
      if (finding.verdict != Verdict::bad) continue;
      finding.verdict = Verdict::note;
      finding.advice = "the agent goes through the WebSocket";
    }
    direct.request.clear();
  } else if (findings::Report{.findings = direct.findings}.healthy()) {
    second.verdict = Verdict::note;
    second.advice = "the direct way is open, so this one is not needed";
  }
}

}  // namespace sallyport::doctor
