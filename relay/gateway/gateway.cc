#include "relay/gateway/gateway.h"

#include "relay/gateway/enrol_exchange.h"
#include "relay/gateway/first_words.h"
#include "relay/gateway/held_back.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

std::string host_of(const tcp::socket& socket) {
  boost::system::error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  return ec ? "unknown" : peer.address().to_string();
}

std::string text_of(const tcp::socket& socket) {
  boost::system::error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  return ec ? "unknown" : fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

// Of a shared port so many places are kept for people at the door, and at most one of so many parts of all.
constexpr std::size_t kPeople = 1'024;
constexpr std::size_t kPeoplePart = 4;

constexpr int kLooksAtSightings = 30;  // within the time in which each is due once
constexpr std::string_view kStops = "the relay stops";
constexpr std::string_view kFull = "full";  // why an agent is refused: it has no place

std::string_view reason_of(Errc why_no_turn) {
  switch (why_no_turn) {
    case Errc::exhausted: return tls::reason::kCrowded;
    case Errc::timed_out: return tls::reason::kTimedOut;
    case Errc::cancelled: return tls::reason::kCancelled;
    default: return tls::reason::kClosed;
  }
}

std::unexpected<tls::Refusal> refused(Error why_no_turn) {
  const auto reason = reason_of(why_no_turn.code);
  return std::unexpected(tls::Refusal{reason, std::move(why_no_turn)});
}

}  // namespace

// One of a limited number, given back when it dies.
class Gateway::Place {
 public:
  explicit Place(Gateway& gateway) : gateway_(&gateway) { ++gateway.open_; }
  Place(Place&& other) noexcept : gateway_(std::exchange(other.gateway_, nullptr)), is_proven_(other.is_proven_) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (gateway_ == nullptr) return;
    --gateway_->open_;
    if (is_proven_) --gateway_->proven_;
    gateway_->door_.knock();
  }
  void proved() {
    if (!std::exchange(is_proven_, true)) ++gateway_->proven_;
  }

 private:
  Gateway* gateway_;
  bool is_proven_ = false;
};

// A session in the list of those that are told when the relay stops.
class Gateway::Entry {
 public:
  Entry(Gateway& gateway, AgentSession& session)
      : gateway_(gateway), at_(gateway.sessions_.insert(gateway.sessions_.end(), &session)) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() { gateway_.sessions_.erase(at_); }

 private:
  Gateway& gateway_;
  std::list<AgentSession*>::iterator at_;
};

Gateway::Gateway(const asio::any_io_executor& executor, Parts parts, tls::ServerContext context,
                 const GatewayLimits& limits)
    : executor_(executor),
      parts_(parts),
      context_(std::move(context)),
      limits_(limits),
      acceptor_(executor),
      revoked_(
          parts.revocations.subscribe([this](const OrgId& org, const AgentId& agent) { cut_revoked(org, agent); })),
      linked_(parts.metrics.gauge("sallyport_linked_agents", "Agents linked to this relay")),
      links_(parts.metrics.gauge("sallyport_links", "Links of those agents")),
      door_(executor, limits.door, [this] { return limits_.connections - std::min(limits_.connections, proven_); }),
      carried_(limits.carried),
      acceptance_([this](const std::string& why, std::uint64_t times) {
        parts_.sessions.log.error("link.accept_failed", {{"message", why}, {"times", times}});
      }),
      connections_(executor, [this](const std::string&, const std::string& why) {
        parts_.sessions.log.error("link.fault", {{"why", why}});
      }) {
  parts_.sessions.links.on_change([this] { count_links(); });
}

Gateway::~Gateway() { parts_.sessions.links.on_change(nullptr); }

void Gateway::count_links() {
  linked_.set(static_cast<std::int64_t>(parts_.sessions.links.agents()));
  links_.set(static_cast<std::int64_t>(parts_.sessions.links.count()));
}

Result<void> Gateway::listen(const std::string& host, std::uint16_t port) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec) return fail(Errc::invalid, fmt::format("\"{}\" is no IP address to listen on", host));
  const tcp::endpoint endpoint(address, port);
  const auto failed = [&](std::string_view what) {
    return fail(ec == asio::error::address_in_use ? Errc::conflict : Errc::unavailable,
                fmt::format("cannot {} {}:{} for agents: {}", what, host, port, ec.message()));
  };
  acceptor_.open(endpoint.protocol(), ec);
  if (ec) return failed("open a socket on");
  acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (ec) return failed("configure");
  acceptor_.bind(endpoint, ec);
  if (ec) return failed("bind");
  acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return failed("listen on");
  return {};
}

std::uint16_t Gateway::port() const { return acceptor_.local_endpoint().port(); }

asio::awaitable<void> Gateway::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  connections_.spawn("sightings", sighting_loop());
  co_await accept_loop();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  stopping_ = true;
  for (auto* session : sessions_) session->go_away(std::string(kStops), limits_.drain);
  const auto deadline = std::chrono::steady_clock::now() + limits_.drain;
  while (!sessions_.empty() && std::chrono::steady_clock::now() < deadline) {
    asio::steady_timer tick(executor_, std::chrono::milliseconds(20));
    co_await tick.async_wait(
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::as_tuple(asio::use_awaitable)));
  }
  connections_.stop();
  co_await connections_.join();
}

// On a shared port those at the door, of whom nobody knows yet who they are, need places when agents have all others.
std::size_t Gateway::places_of_agents() const {
  if (!web_) return limits_.connections;
  return limits_.connections - std::min(kPeople, limits_.connections / kPeoplePart);
}

// Those at the door share what the links have left, so that one source cannot take it all.
std::optional<tls::Refusal> Gateway::refused_as_agent(Doorway::Guest& guest) {
  const auto places = places_of_agents();
  const auto room = places - std::min(places, proven_);
  if (door_.agents() >= room)
    return tls::Refusal{kFull, {Errc::exhausted, fmt::format("all {} places for agents are taken", places)}};
  if (auto joined = guest.join_agents(room); !joined)
    return tls::Refusal{reason_of(joined.error().code), std::move(joined).error()};
  return std::nullopt;
}

asio::awaitable<void> Gateway::accept_loop() {
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    if (door_.is_full() || open_ >= limits_.connections) {
      co_await door_.wait_for_room();
      continue;
    }
    if (auto accepted = co_await acceptance_.next(acceptor_))
      connections_.spawn("connection", serve(std::move(accepted->socket), Place(*this)));
  }
}

// One for all sessions, each of which has its own time.
asio::awaitable<void> Gateway::sighting_loop() {
  const auto pause =
      std::max<std::chrono::milliseconds>(limits_.session.sighting / kLooksAtSightings, std::chrono::milliseconds(1));
  for (;;) {
    co_await sleep_for(pause);
    const auto now = parts_.sessions.clock.steady();
    for (auto* session : sessions_) session->note_sighting_if_due(now);
  }
}

asio::awaitable<tls::Handshake> Gateway::shake_hands(Doorway::Guest& guest, tcp::socket socket) {
  SocketLine line(socket);
  if (auto turn = co_await guest.wait_for_turn(line, std::chrono::steady_clock::now() + limits_.turn); !turn)
    co_return refused(std::move(turn).error());
  auto handshake =
      co_await tls::accept_tls(std::move(socket), context_, std::chrono::steady_clock::now() + limits_.handshake);
  guest.handshake_ended();
  co_return handshake;
}

asio::awaitable<void> Gateway::serve(tcp::socket socket, Place place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string address = text_of(socket);
  const std::string source = source_of(host_of(socket));
  std::optional<Doorway::Guest> guest(std::in_place, door_, source);
  const auto caller = co_await tell_apart(*guest, socket, std::chrono::steady_clock::now() + limits_.handshake);
  if (!caller) co_return note_refused(address, {reason_of(caller.error().code), caller.error()});
  if (web_ && *caller == Caller::web) co_return web_(std::move(socket));
  if (auto refusal = refused_as_agent(*guest)) co_return note_refused(address, *refusal);
  auto handshake = co_await shake_hands(*guest, std::move(socket));
  if (!handshake) {
    guest.reset();
    co_return co_await turn_away(address, std::move(handshake).error());
  }
  // Who enrols stays a guest to the end: nothing has been proved before.
  if ((*handshake)->facts().protocol == tls::kEnrolProtocol)
    co_return co_await serve_enrolment(*std::move(handshake), {address, source}, desk());
  place.proved();
  guest.reset();
  // A task of its own, so that an idle link does not hold what its beginning needed.
  connections_.spawn("link", serve_link(*std::move(handshake), address, std::move(place)));
}

asio::awaitable<tls::NestedHandshake> Gateway::shake_hands_inside(Doorway::Guest& guest,
                                                                  std::unique_ptr<ByteStream> carrier) {
  const auto in = [](std::chrono::milliseconds wait) { return std::chrono::steady_clock::now() + wait; };
  auto held = std::make_unique<HeldBack>(std::move(carrier));
  if (auto word = co_await guest.wait_for_word(*held, in(limits_.handshake)); !word)
    co_return refused(std::move(word).error());
  if (auto turn = co_await guest.wait_for_turn(*held, in(limits_.turn)); !turn)
    co_return refused(std::move(turn).error());
  auto handshake = co_await tls::accept_nested_tls(std::move(held), context_, in(limits_.handshake));
  guest.handshake_ended();
  co_return handshake;
}

Result<Gateway::ServeCarried> Gateway::take_carried(std::string peer) {
  SP_TRY(auto place, carried_.take(source_of(peer)));
  return [this, peer = std::move(peer), place = std::move(place)](std::unique_ptr<ByteStream> carrier) {
    return serve_carried(std::move(carrier), peer, place);
  };
}

asio::awaitable<void> Gateway::serve_carried(std::unique_ptr<ByteStream> carrier, std::string peer,
                                             CarriedPlace place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string source = source_of(peer);
  std::optional<Doorway::Guest> guest(std::in_place, door_, source);
  const auto address = peer + " (websocket)";
  auto handshake = co_await shake_hands_inside(*guest, std::move(carrier));
  if (!handshake) {
    guest.reset();
    co_return co_await turn_away(address, std::move(handshake).error());
  }
  if ((*handshake)->facts().protocol == tls::kEnrolProtocol)
    co_return co_await serve_enrolment(*std::move(handshake), {address, source}, desk());
  place->proved();
  guest.reset();
  co_await serve_link(*std::move(handshake), address, std::nullopt);
}

EnrolmentDesk Gateway::desk() {
  return {parts_.enrolments, parts_.sessions.log, limits_.enrol_request,
          [this](const OrgId& org, const AgentId& agent) {
            parts_.sessions.links.cut(org, agent, "quarantined",
                                      "this agent was enrolled again: this is an old copy of its identity");
          }};
}

void Gateway::note_refused(const std::string& address, const tls::Refusal& refusal) {
  const auto& log = parts_.sessions.log;
  const auto& message = refusal.error.message;
  if (!refusal.agent) {
    log.warn("link.refused", {{"address", address}, {"reason", refusal.reason}, {"message", message}});
  } else {
    log.warn("link.refused", {{"org", refusal.agent->id.org.value},
                              {"agent", refusal.agent->id.agent.value},
                              {"address", address},
                              {"reason", refusal.reason},
                              {"message", message}});
  }
}

asio::awaitable<void> Gateway::turn_away(std::string address, tls::Refusal refusal) {
  note_refused(address, refusal);
  if (refusal.agent) co_await parts_.sessions.admissions.note_expired(*std::move(refusal.agent), std::move(address));
}

asio::awaitable<void> Gateway::serve_link(std::unique_ptr<tls::SecureStream> stream, std::string address,
                                          std::optional<Place>) {
  co_await asio::this_coro::throw_if_cancelled(false);
  AgentSession session(executor_, std::move(stream), std::move(address), parts_.sessions, limits_.session);
  const Entry entry(*this, session);
  if (stopping_) session.go_away(std::string(kStops), {});
  co_await session.run();
}

void Gateway::lead_agents_to_root() {
  for (auto* session : sessions_) session->lead_to_root();
}

void Gateway::cut_revoked(const OrgId& org, const AgentId& agent) {
  parts_.sessions.links.cut(org, agent, "revoked", "this agent was revoked");
}

}  // namespace sallyport::gateway
