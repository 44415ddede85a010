#include "agent/link/ways.h"

#include "shared/tls/nested.h"
#include "shared/tls/stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::agent {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kLongestName = 200;

std::string_view name_of(Way way) { return way == Way::direct ? "direct" : "websocket"; }

// A certificate of ours that is out of date may be a clock's fault, but then the other way fails as well.
Obstacle obstacle_in(const tls::Refusal& refusal) {
  if (refusal.reason == tls::reason::kTimedOut) return Obstacle::silence;
  return refusal.reason == tls::reason::kCancelled ? Obstacle::nobody_there : Obstacle::interference;
}

// A proxy that does not let CONNECT through to this port may let it through to that of HTTPS.
Obstacle obstacle_in(const Error& dialling) {
  return dialling.code == Errc::forbidden || dialling.code == Errc::invalid ? Obstacle::interference
                                                                            : Obstacle::nobody_there;
}

}  // namespace

asio::awaitable<Ways::Reached> Ways::go_directly(Endpoint relay, tls::ClientContext context, Deadlines deadlines) {
  auto socket = co_await parts_.dialer.dial(relay, deadlines.carrier);
  if (!socket) {
    const auto obstacle = obstacle_in(socket.error());
    co_return std::unexpected(Failure{std::move(socket).error(), obstacle});
  }
  auto stream = co_await tls::connect_tls(std::move(*socket), context, relay.host, deadlines.session);
  if (stream) co_return *std::move(stream);
  auto& refusal = stream.error();
  if (!refusal.issuer.empty()) note_inspector(refusal.issuer);
  auto error = in_context(fmt::format("TLS with {} ({})", to_string(relay), refusal.reason), std::move(refusal.error));
  co_return std::unexpected(Failure{std::move(error).error(), obstacle_in(refusal)});
}

asio::awaitable<Ways::Reached> Ways::go_inside(Destination to, tls::ClientContext context, Deadlines deadlines) {
  const auto web = to.web.value_or(WebAddress{to.relay, ""});
  auto carrier = co_await open_websocket(parts_.dialer, web, parts_.clock, deadlines.carrier);
  if (!carrier) co_return std::unexpected(Failure{std::move(carrier).error(), Obstacle::nobody_there});
  auto stream = co_await tls::connect_nested_tls(std::move(carrier->stream), context, to.relay.host, deadlines.session);
  if (!stream) {
    auto error = in_context(fmt::format("TLS inside {} ({})", to_string(web), stream.error().reason),
                            std::move(stream.error().error));
    co_return std::unexpected(Failure{std::move(error).error(), Obstacle::interference});
  }
  note_shown(carrier->shown, **stream);
  co_return *std::move(stream);
}

asio::awaitable<Ways::Reached> Ways::go(Way way, Destination to, tls::ClientContext context, Deadlines deadlines) {
  if (way == Way::direct) co_return co_await go_directly(std::move(to.relay), std::move(context), deadlines);
  co_return co_await go_inside(std::move(to), std::move(context), deadlines);
}

// Time is kept for the second way, where there is one.
Ways::Deadlines Ways::first_deadlines(Way way, const Destination& to, SteadyTime begun, SteadyTime deadline) const {
  if (!to.web || !patient_) return {deadline, deadline};
  const auto half = begun + (deadline - begun) / 2;
  return {half, way == Way::direct && choice_.bears_silence() ? deadline : half};
}

asio::awaitable<Result<std::unique_ptr<tls::SecureStream>>> Ways::reach(Destination to, tls::ClientContext context,
                                                                        SteadyTime deadline) {
  const auto begun = std::chrono::steady_clock::now();
  const auto way = to.web ? choice_.first(begun) : Way::direct;
  auto stream = co_await go(way, to, context, first_deadlines(way, to, begun, deadline));
  if (stream) {
    worked(way);
    co_return *std::move(stream);
  }
  auto failure = std::move(stream).error();
  // Silent for so long, and only then broken off: the other way has no time left now, and half of it the next time.
  const bool is_late = std::chrono::steady_clock::now() > begun + (deadline - begun) / 2;
  if (is_late && failure.obstacle == Obstacle::interference) failure.obstacle = Obstacle::silence;
  const bool cancelled = failure.error.code == Errc::cancelled;
  const auto other = cancelled || !to.web ? std::nullopt : choice_.after(way, failure.obstacle);
  if (!other) co_return std::unexpected(std::move(failure.error));
  parts_.log.info("link.way_failed", {{"way", name_of(way)}, {"message", failure.error.message}});
  auto second = co_await go(*other, std::move(to), std::move(context), {deadline, deadline});
  if (second) {
    worked(*other);
    co_return *std::move(second);
  }
  auto& last = second.error().error;
  co_return fail(last.code, fmt::format("{} way: {}; {} way: {}", name_of(way), failure.error.message, name_of(*other),
                                        last.message));
}

void Ways::worked(Way way) {
  choice_.worked(way, std::chrono::steady_clock::now());
  if (facts_.way != way) parts_.log.info("link.way", {{"way", name_of(way)}});
  facts_.way = way;
}

// Once for each name, not for each link.
void Ways::note_inspector(const std::string& issuer) {
  const auto name = issuer.substr(0, kLongestName);
  if (facts_.inspector == name) return;
  facts_.inspector = name;
  parts_.log.warn("link.intercepted", {{"issuer", name}});
}

// The web API shows a certificate of the relay's own root; who shows another one reads what goes through the outside.
void Ways::note_shown(const std::vector<crypto::Certificate>& outside, const tls::SecureStream& inside) {
  const auto& proven = inside.facts().peer_chain;
  if (outside.empty() || proven.empty()) return;
  if (!outside.front().signed_by(proven.back())) note_inspector(outside.front().issuer());
}

}  // namespace sallyport::agent
