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

constexpr std::size_t kPeoplePart = 4;  // of a shared port at most one of so many places is kept for people at the door

// One more, as long as it lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  std::size_t& count_;
};

constexpr std::string_view kFull = "full";  // why an agent is refused: it has no place

std::string_view reason_of(Errc why_no_turn) {
  switch (why_no_turn) {
    case Errc::exhausted: return tls::reason::kCrowded;
    case Errc::timed_out: return tls::reason::kTimedOut;
    case Errc::cancelled: return tls::reason::kCancelled;
    default: return tls::reason::kClosed;
  }
}

}  // namespace

// One of a limited number, given back when it dies.
class Gateway::Place {
 public:
  explicit Place(Gateway& gateway) : gateway_(&gateway) { ++gateway.open_; }
  Place(Place&& other) noexcept : gateway_(std::exchange(other.gateway_, nullptr)) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (gateway_ == nullptr) return;
    --gateway_->open_;
    gateway_->door_.knock();
  }

 private:
  Gateway* gateway_;
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
      door_(executor, limits.door),
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
  co_await accept_loop();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (auto* session : sessions_) session->go_away("the relay stops", limits_.drain);
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
  return limits_.connections - std::min(limits_.door.guests, limits_.connections / kPeoplePart);
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

asio::awaitable<tls::Handshake> Gateway::shake_hands(Doorway::Guest& guest, tcp::socket socket, SteadyTime deadline) {
  SocketLine line(socket);
  if (auto turn = co_await guest.wait_for_turn(line, deadline); !turn) {
    const auto reason = reason_of(turn.error().code);
    co_return std::unexpected(tls::Refusal{reason, std::move(turn.error())});
  }
  auto handshake = co_await tls::accept_tls(std::move(socket), context_, deadline);
  guest.handshake_ended();
  co_return handshake;
}

asio::awaitable<void> Gateway::serve(tcp::socket socket, Place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string address = text_of(socket);
  std::optional<Doorway::Guest> guest(std::in_place, door_, source_of(host_of(socket)));
  const auto deadline = std::chrono::steady_clock::now() + limits_.handshake;
  if (web_) {
    const auto caller = co_await tell_apart(*guest, socket, deadline);
    if (!caller) co_return note_refused(address, {reason_of(caller.error().code), caller.error()});
    if (*caller == Caller::web) co_return web_(std::move(socket));
  }
  const Counted agent(agents_);
  if (agents_ > places_of_agents()) {
    co_return note_refused(
        address, {kFull, {Errc::exhausted, fmt::format("all {} places for agents are taken", places_of_agents())}});
  }
  auto handshake = co_await shake_hands(*guest, std::move(socket), deadline);
  if (!handshake) co_return note_refused(address, handshake.error());
  co_await serve_proven(*std::move(handshake), address, [&guest] { guest.reset(); });
}

asio::awaitable<tls::NestedHandshake> Gateway::shake_hands_inside(Doorway::Guest& guest,
                                                                  std::unique_ptr<ByteStream> carrier) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.handshake;
  auto held = std::make_unique<HeldBack>(std::move(carrier));
  if (auto turn = co_await guest.wait_for_turn(*held, deadline); !turn) {
    const auto reason = reason_of(turn.error().code);
    co_return std::unexpected(tls::Refusal{reason, std::move(turn.error())});
  }
  auto handshake = co_await tls::accept_nested_tls(std::move(held), context_, deadline);
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
  std::optional<Doorway::Guest> guest(std::in_place, door_, source_of(peer));
  const auto address = peer + " (websocket)";
  auto handshake = co_await shake_hands_inside(*guest, std::move(carrier));
  if (!handshake) co_return note_refused(address, handshake.error());
  co_await serve_proven(*std::move(handshake), address, [&guest, &place] {
    guest.reset();
    place->proved();
  });
}

void Gateway::note_refused(const std::string& address, const tls::Refusal& refusal) {
  parts_.sessions.log.warn("link.refused",
                           {{"address", address}, {"reason", refusal.reason}, {"message", refusal.error.message}});
}

asio::awaitable<void> Gateway::serve_proven(std::unique_ptr<tls::SecureStream> stream, std::string address,
                                            std::function<void()> proved) {
  if (stream->facts().protocol == tls::kEnrolProtocol) {
    co_return co_await serve_enrolment(std::move(stream), address, parts_.enrolments, parts_.sessions.log,
                                       limits_.enrol_request);
  }
  proved();
  co_await serve_link(std::move(stream), std::move(address));
}

asio::awaitable<void> Gateway::serve_link(std::unique_ptr<tls::SecureStream> stream, std::string address) {
  AgentSession session(executor_, std::move(stream), std::move(address), parts_.sessions, limits_.session);
  const Entry entry(*this, session);
  co_await session.run();
}

void Gateway::cut_revoked(const OrgId& org, const AgentId& agent) {
  parts_.sessions.links.cut(org, agent, "revoked", "this agent was revoked");
}

}  // namespace sallyport::gateway
