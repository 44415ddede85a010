#include "relay/tunnels/carrier.h"

#include "relay/tunnels/listener.h"
#include "relay/tunnels/reach.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::tunnels {
namespace asio = boost::asio;
namespace {

constexpr auto kEarlier = "the relay that carried it ended without a word";

TaskGroup::OnFault told(const Log& log) {
  return [&log](const std::string& task, const std::string& why) {
    log.error("tunnel.fault", {{"task", task}, {"why", why}});
  };
}

}  // namespace

Carrier::Carrier(asio::any_io_executor executor, Parts parts, CarrierPlaces places, CarrierLimits limits)
    : executor_(std::move(executor)),
      parts_(parts),
      places_(std::move(places)),
      limits_(limits),
      figures_(parts.metrics),
      records_(executor_, {parts.tunnels, parts.log, figures_.records_dropped}, limits.records),
      placement_(parts.agents),
      shared_{placement_,
              records_,
              figures_,
              parts.clock,
              parts.log,
              [this](const domain::TunnelListener& where) { return check_listener(where); },
              FairShare(limits.connections),
              {limits.listeners},
              SessionPlaces(limits.sessions),
              limits.session_times,
              limits.retry,
              limits.grace,
              limits.renote,
              TaskGroup(executor_, told(parts.log)),
              [this] {
                if (!looks_again_) changed_.set();
              }},
      changed_(executor_),
      writing_(executor_, told(parts.log)) {}

asio::awaitable<Result<void>> Carrier::load() {
  SP_CO_TRY(const auto closed,
            co_await parts_.tunnels.close_open_connections(
                parts_.clock.wall(), std::string(to_string(ConnectionEnd::relay_stopped)), kEarlier));
  if (closed > 0) parts_.log.info("access_records.closed", {{"count", closed}});
  store::PageQuery query{.after = "", .limit = store::kMaxPage};
  do {
    SP_CO_TRY(const auto page, co_await parts_.tunnels.list_everywhere(query));
    for (const auto& tunnel : page.items) (void)put(tunnel);
    query.after = page.next;
  } while (!query.after.empty());
  co_return Result<void>();
}

asio::awaitable<void> Carrier::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  writing_.spawn("access records", records_.run());
  shared_.accepting = true;
  for (const auto& [id, entrance] : entrances_) entrance->begin_accepting();
  co_await look_after();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await stop();
}

asio::awaitable<void> Carrier::look_after() {
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    changed_.clear();
    looks_again_ = look();
    if (looks_again_) {
      co_await changed_.wait_until(std::chrono::steady_clock::now() + limits_.look);
    } else {
      co_await changed_.wait();
    }
  }
}

bool Carrier::look() {
  bool again = false;
  for (const auto& [id, entrance] : entrances_) {
    entrance->look();
    again = again || entrance->is_watched();
  }
  return again;
}

asio::awaitable<void> Carrier::drain() {
  const auto until = std::chrono::steady_clock::now() + limits_.drain;
  for (const auto& [id, entrance] : entrances_) entrance->go_away(limits_.drain + limits_.cut);
  looks_again_ = false;
  for (auto now = std::chrono::steady_clock::now(); shared_.connections.taken() > 0 && now < until;
       now = std::chrono::steady_clock::now()) {
    changed_.clear();
    look();
    co_await changed_.wait_until(std::min(until, now + limits_.look));
  }
}

asio::awaitable<void> Carrier::stop() {
  stopped_ = true;
  shared_.accepting = false;
  co_await drain();
  for (const auto& [id, entrance] : entrances_) entrance->shut(ConnectionEnd::relay_stopped);
  for (changed_.clear(); shared_.connections.taken() > 0; changed_.clear()) co_await changed_.wait();
  co_await shared_.tasks.join();
  records_.close(std::chrono::steady_clock::now() + limits_.farewell);
  co_await writing_.join();
}

Result<void> Carrier::put(const store::Tunnel& tunnel) {
  if (stopped_) return fail(Errc::unavailable, "the relay is stopping");
  auto& entrance = entrances_[tunnel.id];
  if (!entrance) entrance = std::make_shared<Entrance>(executor_, shared_, tunnel);
  auto settled = entrance->settle(tunnel);
  changed_.set();
  return settled;
}

void Carrier::drop(const TunnelId& tunnel) {
  const auto at = entrances_.find(tunnel);
  if (at == entrances_.end()) return;
  at->second->shut(ConnectionEnd::removed);
  entrances_.erase(at);
}

Result<ServeSession> Carrier::session(const store::Tunnel& tunnel, Opener opener, StillAllowed still_allowed) {
  const auto at = entrances_.find(tunnel.id);
  if (stopped_ || at == entrances_.end()) return fail(Errc::unavailable, "the relay is starting or stopping");
  return at->second->session(std::move(opener), std::move(still_allowed));
}

Standing Carrier::standing(const store::Tunnel& tunnel) const {
  const auto at = entrances_.find(tunnel.id);
  if (at != entrances_.end()) return at->second->standing();
  return {.entrance = tunnel.listener ? EntranceState::failed : EntranceState::none,
          .problem = tunnel.listener ? "this relay has not taken the tunnel up" : ""};
}

std::vector<store::TunnelConnection> Carrier::open_connections(const TunnelId& tunnel) const {
  const auto at = entrances_.find(tunnel);
  return at == entrances_.end() ? std::vector<store::TunnelConnection>() : at->second->open_connections();
}

std::shared_ptr<EndedConnections> Carrier::watch(const TunnelId& tunnel) {
  const auto at = entrances_.find(tunnel);
  return at == entrances_.end() ? std::make_shared<EndedConnections>() : at->second->watch();
}

Result<void> Carrier::check_listener(const domain::TunnelListener& listener) const {
  if (!domain::is_in_networks(listener.address, places_.networks)) {
    return fail(Errc::forbidden,
                fmt::format("tunnels may not listen on {}: this relay allows {} (tunnels.listen in its "
                            "relay.yaml)",
                            listener.address,
                            places_.networks.empty() ? "none" : fmt::format("{}", fmt::join(places_.networks, ", "))));
  }
  if (listener.port != 0 && !places_.ports.holds(listener.port)) {
    return fail(Errc::forbidden,
                fmt::format("tunnels may not listen on port {}: this relay allows {} (tunnels.ports in "
                            "its relay.yaml)",
                            listener.port, domain::to_string(places_.ports)));
  }
  const bool is_own_port = std::ranges::find(places_.own_ports, listener.port) != places_.own_ports.end();
  if (listener.port == 0 || is_own_port) {
    return fail(Errc::forbidden, fmt::format("tunnels may not listen on port {}: {}; choose another", listener.port,
                                             listener.port == 0 ? "it is no port" : "the relay itself has it"));
  }
  if (!shared_.listeners.is_full()) return {};
  return fail(
      Errc::exhausted,
      fmt::format("this relay has room for {} listeners of tunnels, and all are taken: remove or pause a tunnel, "
                  "or let the relay have more open files (LimitNOFILE of its service; {} listeners at the most)",
                  limits_.listeners, CarrierLimits().listeners));
}

asio::awaitable<Reach> Carrier::reach(OrgId org, GroupId group, std::optional<AgentId> agent, tunnel::Target target) {
  auto opened = placement_.open({std::move(org), std::move(group), std::move(agent)},
                                tunnel::purpose_of(tunnel::kReachService, target));
  if (!opened) co_return Reach{.agent = {}, .rule = {}, .detail = opened.error().message};
  co_return co_await ask_reach(*std::move(opened), limits_.reach);
}

}  // namespace sallyport::tunnels
