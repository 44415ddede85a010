#include "relay/tunnels/entrance.h"

#include "relay/tunnels/listener.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <ranges>

namespace sallyport::tunnels {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

std::string text_of(const tcp::endpoint& peer) {
  auto address = peer.address();
  if (!address.is_v6()) return address.to_string();
  auto v6 = address.to_v6();
  v6.scope_id(0);
  return v6.to_string();
}

}  // namespace

// Takes a connection out of the books however its coroutine ends.
struct Entrance::Leaving {
  Entrance& entrance;
  Open::iterator at;
  Ending why{ConnectionEnd::relay_stopped, "a fault in the relay"};

  Leaving(Entrance& of, Open::iterator connection) : entrance(of), at(connection) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() { entrance.leave(at, why); }
};

Entrance::Entrance(asio::any_io_executor executor, EntranceParts& parts, store::Tunnel tunnel)
    : executor_(std::move(executor)), parts_(parts), tunnel_(std::move(tunnel)) {}

bool Entrance::is_expired() const { return tunnel_.expires_at && parts_.clock.wall() >= *tunnel_.expires_at; }

Result<void> Entrance::settle(store::Tunnel tunnel) {
  const bool moved = tunnel.listener != tunnel_.listener;
  tunnel_ = std::move(tunnel);
  if (moved) close_listener();
  if (tunnel_.status == store::TunnelStatus::paused) {
    shut(ConnectionEnd::paused);
    state_ = EntranceState::paused;
  } else if (is_expired()) {
    shut(ConnectionEnd::expired);
    state_ = EntranceState::expired;
  } else if (tunnel_.listener && !listener_) {
    return open_listener(*tunnel_.listener);
  }
  if (!tunnel_.listener) state_ = EntranceState::none;
  return {};
}

Result<tcp::acceptor> Entrance::new_listener(const domain::TunnelListener& where) {
  if (auto allowed = parts_.check(where); !allowed) return fail(Errc::invalid, allowed.error().message);
  if (parts_.listeners.is_full())
    return fail(Errc::exhausted,
                fmt::format("this relay listens for {} tunnels already, which is all it may", parts_.listeners.limit));
  return listen_on(executor_, where);
}

Result<void> Entrance::open_listener(const domain::TunnelListener& where) {
  auto acceptor = new_listener(where);
  if (!acceptor) {
    state_ = EntranceState::failed;
    retry_at_ = parts_.clock.steady() + parts_.retry;
    if (problem_ != acceptor.error().message)
      parts_.log.warn("tunnel.not_listening", {{"tunnel", tunnel_.id.value}, {"message", acceptor.error().message}});
    problem_ = acceptor.error().message;
    return std::unexpected(std::move(acceptor).error());
  }
  listener_ = std::make_shared<tcp::acceptor>(*std::move(acceptor));
  ++parts_.listeners.taken;
  parts_.figures.listeners.add(1);
  state_ = EntranceState::listening;
  problem_.clear();
  retry_at_.reset();
  parts_.log.info("tunnel.listening", {{"tunnel", tunnel_.id.value}, {"address", to_string(where)}});
  begin_accepting();
  return {};
}

void Entrance::begin_accepting() {
  if (!parts_.accepting || !listener_) return;
  parts_.tasks.spawn("accept", accept_loop(shared_from_this(), listener_));
}

void Entrance::close_listener() {
  retry_at_.reset();
  problem_.clear();
  if (!listener_) return;
  boost::system::error_code ignored;
  listener_->close(ignored);
  listener_.reset();
  --parts_.listeners.taken;
  parts_.figures.listeners.add(-1);
}

void Entrance::shut(ConnectionEnd why) {
  close_listener();
  for (const auto& passage : open_) passage->cut({why});
  tell_rest(ConnectionEnd::not_allowed, not_allowed_.take());
  tell_rest(ConnectionEnd::too_many, too_many_.take());
}

void Entrance::look() {
  const auto now = parts_.clock.steady();
  const bool ends = is_expired() && state_ != EntranceState::expired && tunnel_.status == store::TunnelStatus::active;
  if (ends || (retry_at_ && now >= *retry_at_)) (void)settle(tunnel_);
  tell_rest(ConnectionEnd::not_allowed, not_allowed_.due(now));
  tell_rest(ConnectionEnd::too_many, too_many_.due(now));
  for (const auto& passage : open_) count_bytes(*passage);
}

bool Entrance::is_watched() const {
  return !open_.empty() || retry_at_ || not_allowed_.pending() || too_many_.pending() ||
         (tunnel_.expires_at && state_ == EntranceState::listening);
}

Standing Entrance::standing() const {
  Standing standing{.entrance = state_,
                    .problem = problem_,
                    .open_connections = open_.size(),
                    .to_target = ended_.to_channel,
                    .from_target = ended_.from_channel};
  for (const auto& passage : open_) {
    standing.to_target += passage->flow().to_channel;
    standing.from_target += passage->flow().from_channel;
  }
  return standing;
}

std::vector<store::TunnelConnection> Entrance::open_connections() const {
  std::vector<store::TunnelConnection> records;
  for (const auto& passage : open_ | std::views::reverse) records.push_back(passage->record());
  return records;
}

asio::awaitable<void> Entrance::accept_loop(std::shared_ptr<Entrance>, std::shared_ptr<tcp::acceptor> from) {
  Acceptance acceptance([this](const std::string& why, std::uint64_t times) {
    parts_.log.error("tunnel.accept_failed", {{"tunnel", tunnel_.id.value}, {"message", why}, {"times", times}});
  });
  while (from->is_open()) {
    auto accepted = co_await acceptance.next(*from);
    if (accepted && from->is_open()) welcome(*std::move(accepted));
  }
}

store::TunnelConnection Entrance::begun(std::string source) const {
  return {.id = crypto::new_id<TunnelConnectionId>(parts_.clock),
          .tunnel = tunnel_.id,
          .source = std::move(source),
          .opened_at = parts_.clock.wall()};
}

void Entrance::welcome(Accepted accepted) {
  const auto source = text_of(accepted.peer);
  if (auto why = refusal_of(source)) {
    reset(accepted.socket);
    return refuse(source, *why);
  }
  const auto at = open_.insert(open_.end(), std::make_shared<Passage>(executor_, begun(source)));
  ++parts_.connections.taken;
  parts_.figures.open.add(1);
  parts_.wake();
  parts_.tasks.spawn("connection", serve(shared_from_this(), at, std::move(accepted.socket)));
}

std::optional<Ending> Entrance::refusal_of(const std::string& source) const {
  if (!domain::is_in_networks(source, tunnel_.networks))
    return Ending{ConnectionEnd::not_allowed, "this address is in none of the tunnel's networks"};
  if (open_.size() >= tunnel_.limits.connections)
    return Ending{ConnectionEnd::too_many,
                  fmt::format("the tunnel's {} connections were open", tunnel_.limits.connections)};
  if (parts_.connections.is_full())
    return Ending{
        ConnectionEnd::too_many,
        fmt::format("all {} connections that this relay carries for tunnels were open", parts_.connections.limit)};
  return std::nullopt;
}

void Entrance::refuse(const std::string& source, const Ending& why) {
  auto& refusals = why.end == ConnectionEnd::not_allowed ? not_allowed_ : too_many_;
  const auto now = parts_.clock.steady();
  parts_.figures.count(why.end);
  tell_rest(why.end, refusals.due(now));
  if (refusals.is_told(source, now)) note_refused(source, why);
  parts_.wake();
}

void Entrance::tell_rest(ConnectionEnd why, const std::optional<Refusals::Rest>& rest) {
  if (!rest) return;
  note_refused(rest->source, {why, fmt::format("{} more connections were refused within a minute, of this address and "
                                               "perhaps others",
                                               rest->count)});
}

void Entrance::note_refused(std::string source, const Ending& why) {
  parts_.log.warn(
      "tunnel.refused",
      {{"tunnel", tunnel_.id.value}, {"source", source}, {"reason", to_string(why.end)}, {"message", why.detail}});
  auto record = begun(std::move(source));
  record.closed_at = record.opened_at;
  record.end = to_string(why.end);
  record.detail = why.detail;
  parts_.records.note(tunnel_.org, std::move(record));
}

asio::awaitable<void> Entrance::serve(std::shared_ptr<Entrance>, Open::iterator at, tcp::socket socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Leaving leaving(*this, at);
  leaving.why = co_await carry(**at, socket);
}

asio::awaitable<Ending> Entrance::carry(Passage& passage, tcp::socket& socket) {
  if (const auto& why = passage.cut_because()) {
    reset(socket);
    co_return *why;
  }
  auto opened = parts_.placement.open({tunnel_.org, tunnel_.group, tunnel_.agent},
                                      tunnel::purpose_of(tunnel::kTunnelService, {tunnel_.host, tunnel_.port}));
  if (!opened) {
    reset(socket);
    const bool full = opened.error().code == Errc::exhausted;
    co_return Ending{full ? ConnectionEnd::too_many : ConnectionEnd::no_agent, opened.error().message};
  }
  const Placement::Load load(parts_.placement, opened->agent);
  passage.carried_by(opened->agent);
  parts_.records.note(tunnel_.org, passage.record());
  co_return co_await passage.carry(socket, opened->channel, {tunnel_.limits.idle, tunnel_.limits.bytes_per_second});
}

void Entrance::leave(Open::iterator at, const Ending& why) {
  auto& passage = **at;
  count_bytes(passage);
  ended_.to_channel += passage.flow().to_channel;
  ended_.from_channel += passage.flow().from_channel;
  parts_.records.note(tunnel_.org, passage.record(why, parts_.clock.wall()));
  parts_.figures.count(why.end);
  parts_.figures.open.add(-1);
  --parts_.connections.taken;
  open_.erase(at);
}

void Entrance::count_bytes(Passage& passage) {
  const auto flow = passage.uncounted();
  parts_.figures.to_target.add(flow.to_channel);
  parts_.figures.from_target.add(flow.from_channel);
}

}  // namespace sallyport::tunnels
