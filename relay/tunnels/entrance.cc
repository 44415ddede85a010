#include "relay/tunnels/entrance.h"

#include "relay/tunnels/listener.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <ranges>
#include <utility>

namespace sallyport::tunnels {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

const Denial kStopping{"stopping", "the relay is stopping"};

std::string text_of(const tcp::endpoint& peer) {
  auto address = peer.address();
  if (!address.is_v6()) return address.to_string();
  auto v6 = address.to_v6();
  v6.scope_id(0);
  return v6.to_string();
}

}  // namespace

// A session's place in the books, from before its connection is there until that has ended.
struct Entrance::Seat {
  std::shared_ptr<Entrance> entrance;
  Opener opener;
  SessionPlaces::Place place;
  Sessions::iterator at;

  Seat(std::shared_ptr<Entrance> of, Opener by, SessionPlaces::Place taken, StillAllowed still_allowed)
      : entrance(std::move(of)), opener(std::move(by)), place(std::move(taken)) {
    WorkstationSession::Calls calls{[this](link::Channel channel) { entrance->welcome(std::move(channel), opener); },
                                    std::move(still_allowed),
                                    [this](const Denial& why) { entrance->let_out(opener.token, why); }};
    at = entrance->sessions_.emplace(entrance->sessions_.end(), entrance->parts_.clock, std::move(calls), opener.until,
                                     entrance->parts_.session_times);
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() { entrance->sessions_.erase(at); }
};

Entrance::Entrance(asio::any_io_executor executor, EntranceParts& parts, store::Tunnel tunnel)
    : executor_(std::move(executor)), parts_(parts), tunnel_(std::move(tunnel)) {}

bool Entrance::is_expired() const { return tunnel_.expires_at && parts_.clock.wall() >= *tunnel_.expires_at; }

Result<void> Entrance::settle(store::Tunnel tunnel) {
  const auto before = std::exchange(tunnel_, std::move(tunnel));
  shut_ = false;
  if (before.listener != tunnel_.listener) close_listener();
  hold_to(before);
  if (tunnel_.status == store::TunnelStatus::paused) {
    shut(ConnectionEnd::paused);
    become(EntranceState::paused);
  } else if (is_expired()) {
    shut(ConnectionEnd::expired);
    become(EntranceState::expired);
  } else if (tunnel_.listener && !listener_) {
    return open_listener(*tunnel_.listener);
  }
  if (!tunnel_.listener) become(EntranceState::none);
  return {};
}

void Entrance::hold_to(const store::Tunnel& before) {
  if (before.networks != tunnel_.networks) {
    for (auto& passage : open_) {
      const auto& [source, opener] = passage.visitor();
      if (opener || domain::is_in_networks(source, tunnel_.networks)) continue;
      passage.cut({ConnectionEnd::access_ended, "the tunnel's networks were changed: this address is in none of them"});
    }
  }
  if (before.access == tunnel_.access) return;
  for (auto& session : sessions_) session.ask_now();
}

// What goes for one session of the token goes for all of them.
void Entrance::let_out(const ApiTokenId& token, const Denial& why) {
  for (auto& passage : open_) {
    const auto& opener = passage.visitor().opener;
    if (opener && opener->token == token) passage.cut({ConnectionEnd::access_ended, why.message});
  }
}

void Entrance::become(EntranceState state) {
  parts_.figures.failed_listeners.add((state == EntranceState::failed ? 1 : 0) -
                                      (state_ == EntranceState::failed ? 1 : 0));
  state_ = state;
}

Result<tcp::acceptor> Entrance::new_listener(const domain::TunnelListener& where) {
  auto allowed = parts_.check(where);
  if (allowed) return listen_on(executor_, where);
  const bool full = allowed.error().code == Errc::exhausted;
  return fail(full ? Errc::exhausted : Errc::invalid, std::move(allowed).error().message);
}

void Entrance::not_listening(const std::string& why) {
  become(EntranceState::failed);
  retry_at_ = parts_.clock.steady() + parts_.retry;
  if (problem_ != why) parts_.log.warn("tunnel.not_listening", {{"tunnel", tunnel_.id.value}, {"message", why}});
  problem_ = why;
}

Result<void> Entrance::open_listener(const domain::TunnelListener& where) {
  auto acceptor = new_listener(where);
  if (!acceptor) {
    not_listening(acceptor.error().message);
    return std::unexpected(std::move(acceptor).error());
  }
  listener_ = std::make_shared<tcp::acceptor>(*std::move(acceptor));
  ++parts_.listeners.taken;
  parts_.figures.listeners.add(1);
  become(EntranceState::listening);
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
  become(EntranceState::none);
  if (!listener_) return;
  boost::system::error_code ignored;
  listener_->close(ignored);
  listener_.reset();
  --parts_.listeners.taken;
  parts_.figures.listeners.add(-1);
}

void Entrance::shut(ConnectionEnd why) {
  shut_ = true;
  close_listener();
  for (auto& passage : open_) passage.cut({why});
  cut_sessions(why);
  tell(tally_.take());
}

void Entrance::go_away(std::chrono::milliseconds drain) {
  shut_ = true;
  close_listener();
  for (auto& session : sessions_) session.go_away(kStopping, drain);
}

void Entrance::cut_sessions(ConnectionEnd why) {
  if (why == ConnectionEnd::relay_stopped) {  // whoever goes away already ends with its last connection
    for (auto& session : sessions_) session.go_away(kStopping, {});
    return;
  }
  const Denial denial{std::string(to_string(why)), fmt::format("the tunnel \"{}\" {}", tunnel_.name,
                                                               why == ConnectionEnd::expired  ? "has expired"
                                                               : why == ConnectionEnd::paused ? "was paused"
                                                                                              : "was removed")};
  for (auto& session : sessions_) session.cut(denial);
}

void Entrance::look() {
  const auto now = parts_.clock.steady();
  const bool turns = is_expired() != (state_ == EntranceState::expired) && tunnel_.listener &&
                     tunnel_.status == store::TunnelStatus::active;
  const bool outlived = is_expired() && (!open_.empty() || !sessions_.empty());
  if (turns || outlived || (retry_at_ && now >= *retry_at_)) (void)settle(tunnel_);
  tell(tally_.due(now));
  note_open(now);
}

// A record is noted when it is clear that the connection is carried, and from then on while bytes flow.
void Entrance::note_open(SteadyTime now) {
  const bool again = now >= renote_at_;
  if (again) renote_at_ = now + parts_.renote;
  for (auto& passage : open_) {
    count_bytes(passage);
    const bool wanted = passage.is_noted() ? again && passage.has_news()
                                           : passage.is_carried(now, parts_.grace) && tally_.may_begin(now);
    if (wanted) parts_.records.note(tunnel_.org, passage.noted());
  }
}

bool Entrance::is_watched() const {
  const bool may_turn = state_ == EntranceState::listening || state_ == EntranceState::expired;
  return !open_.empty() || !sessions_.empty() || retry_at_ || tally_.pending() || (tunnel_.expires_at && may_turn);
}

Standing Entrance::standing() const {
  Standing standing{.entrance = state_,
                    .problem = problem_,
                    .open_connections = open_.size(),
                    .to_target = ended_.to_channel,
                    .from_target = ended_.from_channel};
  for (const auto& passage : open_) {
    standing.to_target += passage.flow().to_channel;
    standing.from_target += passage.flow().from_channel;
  }
  return standing;
}

std::vector<store::TunnelConnection> Entrance::open_connections() const {
  std::vector<store::TunnelConnection> records;
  for (const auto& passage : open_ | std::views::reverse) records.push_back(passage.record());
  return records;
}

std::shared_ptr<EndedConnections> Entrance::watch() {
  auto watched = watched_.lock();
  if (!watched) watched_ = watched = std::make_shared<EndedConnections>();
  return watched;
}

void Entrance::tell_watchers(const store::TunnelConnection& closed) const {
  if (const auto watched = watched_.lock()) watched->note(closed);
}

// A fault closes the port and opens it again later: nobody waits at one that is deaf.
asio::awaitable<void> Entrance::accept_loop(std::shared_ptr<Entrance>, std::shared_ptr<tcp::acceptor> from) {
  try {
    co_await accept_all(*from);
  } catch (const std::exception& fault) {
    if (listener_ != from) co_return;
    close_listener();
    not_listening(fmt::format("a fault in the relay while it took a connection: {}", fault.what()));
    parts_.wake();
  }
}

asio::awaitable<void> Entrance::accept_all(tcp::acceptor& from) {
  Acceptance acceptance([this](const std::string& why, std::uint64_t times) {
    parts_.log.error("tunnel.accept_failed", {{"tunnel", tunnel_.id.value}, {"message", why}, {"times", times}});
  });
  while (from.is_open()) {
    auto accepted = co_await acceptance.next(from);
    if (accepted && from.is_open()) welcome(*std::move(accepted));
  }
}

void Entrance::welcome(Accepted accepted) {
  take_in(make_client(std::move(accepted.socket)), {text_of(accepted.peer)});
}

void Entrance::welcome(link::Channel channel, const Opener& opener) {
  take_in(make_client(executor_, std::move(channel)), {opener.source, std::make_unique<Opener>(opener)});
}

void Entrance::take_in(std::unique_ptr<Client> client, Visitor visitor) {
  if (!parts_.accepting) return client->refuse({ConnectionEnd::relay_stopped, "the relay is stopping"});
  if (const auto why = refusal_of(visitor)) return turn_away(*client, std::move(visitor), *why);
  auto opened = parts_.placement.open({tunnel_.org, tunnel_.group, tunnel_.agent, tunnel_.id},
                                      tunnel::purpose_of(tunnel::kTunnelService, {tunnel_.host, tunnel_.port}));
  if (!opened) {
    const bool full = opened.error().code == Errc::exhausted;
    return turn_away(*client, std::move(visitor),
                     {full ? ConnectionEnd::too_many : ConnectionEnd::no_agent, opened.error().message});
  }
  const auto at = open_.emplace(open_.end(), begin(std::move(visitor)));
  parts_.connections.take(tunnel_.org.value);
  parts_.figures.open.add(1);
  parts_.wake();
  try {
    at->carry(std::move(client), parts_.placement, *std::move(opened),
              {tunnel_.limits.idle, tunnel_.limits.bytes_per_second},
              [self = shared_from_this(), at](const Ending& why) { self->ended(at, why); });
  } catch (const std::exception& fault) {
    ended(at, {ConnectionEnd::failed, fault.what()});
  }
}

Passage::Begin Entrance::begin(Visitor visitor) const {
  return {crypto::new_id<TunnelConnectionId>(parts_.clock), tunnel_.id, std::move(visitor), parts_.clock.wall(),
          parts_.clock.steady()};
}

void Entrance::turn_away(Client& client, Visitor visitor, const Ending& why) {
  client.refuse(why);
  parts_.figures.count(why.end);
  auto closed = Passage(begin(std::move(visitor))).record(why, parts_.clock.wall());
  tell_watchers(closed);
  account(why.end, std::move(closed));
}

// Who has a session was let in by name, from wherever.
std::optional<Ending> Entrance::refusal_of(const Visitor& visitor) const {
  if (!visitor.opener && !domain::is_in_networks(visitor.source, tunnel_.networks))
    return Ending{ConnectionEnd::not_allowed, "this address is in none of the tunnel's networks"};
  if (open_.size() >= tunnel_.limits.connections)
    return Ending{ConnectionEnd::too_many,
                  fmt::format("the tunnel's {} connections were open", tunnel_.limits.connections)};
  if (!parts_.connections.has_place_for(tunnel_.org.value))
    return Ending{
        ConnectionEnd::too_many,
        fmt::format("{} connections of tunnels were open, {} of this organisation: as many as it may have then",
                    parts_.connections.taken(), parts_.connections.held_by(tunnel_.org.value))};
  return std::nullopt;
}

Result<ServeSession> Entrance::session(Opener opener, StillAllowed still_allowed) {
  if (tunnel_.status == store::TunnelStatus::paused)
    return fail(Errc::conflict, fmt::format("the tunnel \"{}\" is paused: resume it first", tunnel_.name));
  if (is_expired())
    return fail(Errc::conflict, fmt::format("the tunnel \"{}\" has expired: make another one", tunnel_.name));
  SP_TRY(auto place, parts_.sessions.take(tunnel_.org, opener.user));
  auto seat = std::make_shared<Seat>(shared_from_this(), std::move(opener), std::move(place), std::move(still_allowed));
  parts_.wake();
  return [seat = std::move(seat)](std::unique_ptr<ByteStream> stream) { return hold_session(seat, std::move(stream)); };
}

asio::awaitable<std::optional<Denial>> Entrance::hold_session(std::shared_ptr<Seat> seat,
                                                              std::unique_ptr<ByteStream> stream) {
  const auto& [source, user, token, until] = seat->opener;
  const auto& self = *seat->entrance;
  const Log& log = self.parts_.log;
  const auto tunnel = self.tunnel_.id;
  log.info("tunnel.session_opened",
           {{"tunnel", tunnel.value}, {"source", source}, {"user", user.value}, {"token", token.value}});
  const auto why = co_await seat->at->run(std::move(stream));
  log.info("tunnel.session_ended", {{"tunnel", tunnel.value},
                                    {"source", source},
                                    {"user", user.value},
                                    {"token", token.value},
                                    {"reason", link::to_string(why.end)},
                                    {"message", why.message}});
  co_return seat->at->denied();
}

// A connection that has ended without a record.
void Entrance::account(ConnectionEnd end, store::TunnelConnection closed) {
  const auto now = parts_.clock.steady();
  tell(tally_.due(now));
  if (tally_.ended(end, closed, now)) note_closed(end, std::move(closed));
  parts_.wake();
}

void Entrance::tell(Tally::Rests rests) {
  for (auto& [end, rest] : rests) note_closed(end, record_of(end, std::move(rest)));
}

void Entrance::note_closed(ConnectionEnd end, store::TunnelConnection closed) {
  if (!was_carried(end)) {
    parts_.log.warn(
        "tunnel.refused",
        {{"tunnel", tunnel_.id.value}, {"source", closed.source}, {"reason", closed.end}, {"message", closed.detail}});
  }
  parts_.records.note(tunnel_.org, std::move(closed));
}

// When it is shut and nobody is left, nothing more comes: what was counted is told at once. Otherwise the minute's
// bounds hold for who comes next.
void Entrance::ended(Open::iterator at, const Ending& why) {
  Open gone;
  gone.splice(gone.end(), open_, at);
  parts_.connections.give_back(tunnel_.org.value);
  parts_.figures.open.add(-1);
  try {
    note_end(gone.front(), why);
    if (open_.empty() && shut_) tell(tally_.take());
  } catch (const std::exception&) {
    parts_.figures.records_dropped.add();
  }
  parts_.wake();
}

void Entrance::note_end(Passage& passage, const Ending& why) {
  count_bytes(passage);
  ended_.to_channel += passage.flow().to_channel;
  ended_.from_channel += passage.flow().from_channel;
  parts_.figures.count(why.end);
  auto closed = passage.record(why, parts_.clock.wall());
  tell_watchers(closed);
  if (passage.is_noted()) {
    parts_.records.note(tunnel_.org, std::move(closed));
  } else {
    account(why.end, std::move(closed));
  }
}

void Entrance::count_bytes(Passage& passage) {
  const auto flow = passage.uncounted();
  parts_.figures.to_target.add(flow.to_channel);
  parts_.figures.from_target.add(flow.from_channel);
}

}  // namespace sallyport::tunnels
