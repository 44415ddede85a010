#include "relay/cli/open_tunnel.h"

#include "relay/cli/upgraded_connection.h"
#include "shared/async/accept.h"
#include "shared/async/socket_options.h"
#include "shared/async/timeout.h"
#include "shared/crypto/random.h"
#include "shared/tunnel/purpose.h"
#include "shared/tunnel/splice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace sallyport::cli {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
namespace {

constexpr int kBacklog = 128;

// Refusals after which the same question gets the same answer.
struct Final {
  std::string_view code;
  Errc means;
};
constexpr std::array kFinal{Final{"revoked", Errc::forbidden}, Final{"forbidden", Errc::forbidden},
                            Final{"paused", Errc::conflict},   Final{"expired", Errc::conflict},
                            Final{"removed", Errc::not_found}, Final{"version", Errc::conflict}};

bool may_change(Errc code) {
  return code == Errc::unavailable || code == Errc::timed_out || code == Errc::exhausted || code == Errc::internal;
}

void reset(tcp::socket& socket) {
  (void)set_closing(socket, Closing::by_reset);
  boost::system::error_code ignored;
  socket.close(ignored);
}

Result<tcp::acceptor> listen_on(const asio::any_io_executor& on, const tcp::endpoint& where) {
  boost::system::error_code problem;
  tcp::acceptor acceptor(on);
  acceptor.open(where.protocol(), problem);
  if (!problem) acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem) acceptor.bind(where, problem);
  if (!problem) acceptor.listen(kBacklog, problem);
  if (!problem) return acceptor;
  return fail(Errc::conflict, fmt::format("cannot listen on {} port {}: {}", where.address().to_string(), where.port(),
                                          problem.message()));
}

}  // namespace

Result<LocalPort> parse_local_port(std::string_view text) {
  const auto wrong = [] {
    return fail(Errc::invalid, "takes an address and a port, such as 127.0.0.1:5432 or [::1]:0, or a port alone");
  };
  const auto colon = text.rfind(':');
  auto host = colon == std::string_view::npos ? std::string_view("127.0.0.1") : text.substr(0, colon);
  const auto digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  LocalPort local;
  local.exactly = true;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), local.port);
  if (bad != std::errc() || end != digits.data() + digits.size()) return wrong();
  boost::system::error_code problem;
  local.address = asio::ip::make_address(std::string(host), problem);
  if (problem) return wrong();
  return local;
}

// One connection, from when it is taken until its end.
struct OpenTunnel::Place {
  explicit Place(OpenTunnel& of) : tunnel(of) { ++tunnel.open_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    --tunnel.open_;
    tunnel.carried_.set();
  }
  OpenTunnel& tunnel;
};

OpenTunnel::OpenTunnel(const asio::any_io_executor& on, Order order, Tell tell, OpenTunnelTimes times)
    : on_(on),
      order_(std::move(order)),
      tell_(std::move(tell)),
      times_(times),
      acceptor_(on),
      linked_(on),
      carried_(on),
      over_(on),
      troubles_(times.complain),
      work_(on, [this](const auto& task, const auto& why) { end(fail(Errc::internal, task + ": " + why)); }),
      connections_(on, [this](const auto& task, const auto& why) { complain(task + ": " + why); }) {}

OpenTunnel::~OpenTunnel() = default;

awaitable<Result<void>> OpenTunnel::run() {
  work_.spawn("tunnel", keep_open());
  co_await over_.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stopping_ = true;
  work_.stop();
  connections_.stop();
  co_await connections_.join();
  co_await work_.join();
  co_return outcome_.value_or(Result<void>());
}

void OpenTunnel::stop() { end({}); }

void OpenTunnel::finish() {
  if (parting_ || stopping_) return;
  parting_ = true;
  work_.spawn("parting", part());
}

// The first session is still waited for; one that is away does not come back for those who have gone.
awaitable<void> OpenTunnel::part() {
  const auto until = std::chrono::steady_clock::now() + times_.parting;
  take_waiting();
  const auto may_carry = [this] { return session_ != nullptr || !was_linked_; };
  while (open_ > 0 && may_carry() && std::chrono::steady_clock::now() < until) {
    carried_.clear();
    co_await carried_.wait_until(until);
  }
  if (session_ == nullptr) co_return end({});
  session_->go_away("it is not needed any more", {});  // what was sent goes out before
}

// Connections that nobody has accepted yet; no further ones come in.
void OpenTunnel::take_waiting() {
  boost::system::error_code failed;
  acceptor_.non_blocking(true, failed);
  for (auto socket = acceptor_.accept(failed); !failed; socket = acceptor_.accept(failed)) take(std::move(socket));
  acceptor_.close(failed);
}

void OpenTunnel::end(Result<void> outcome) {
  if (!outcome_) outcome_ = std::move(outcome);
  stopping_ = true;
  over_.set();
}

awaitable<void> OpenTunnel::keep_open() {
  auto stream = co_await connect();
  if (!stream) co_return end(std::unexpected(std::move(stream).error()));
  if (auto listening = listen(); !listening) co_return end(std::move(listening));
  work_.spawn("accept", accept_all());
  for (;;) {
    if (auto held = co_await hold(*std::move(stream)); !held || parting_) co_return end(std::move(held));
    stream = co_await connect_again();
    if (!stream) co_return end(std::unexpected(std::move(stream).error()));
  }
}

awaitable<Result<std::unique_ptr<ByteStream>>> OpenTunnel::connect() {
  return upgrade({order_.endpoint, connecting_, stopping_}, order_.path, std::string(tunnel::kSessionProtocol));
}

// Until it succeeds or is refused for good.
awaitable<Result<std::unique_ptr<ByteStream>>> OpenTunnel::connect_again() {
  Patience patience(times_.patience, clock_.steady());
  for (;;) {
    const auto wait = patience.next_wait(clock_.steady(), drawn_luck());
    if (!wait) co_return fail(Errc::unavailable, "the relay did not come back");
    co_await sleep_for(*wait);
    auto stream = co_await connect();
    if (stopping_) co_return fail(Errc::cancelled, "it was stopped");
    if (stream) tell_.trouble("the relay is back");
    if (stream || !may_change(stream.error().code)) co_return stream;
    complain(stream.error().message);
  }
}

// An error ends it all.
awaitable<Result<void>> OpenTunnel::hold(std::unique_ptr<ByteStream> stream) {
  link::SessionOptions options;
  options.side = mux::Side::agent;
  options.self.software = "sallyport-cli/" SALLYPORT_VERSION;
  options.self.boot_id = crypto::random_bytes(16);
  link::Session session(on_, std::move(stream), std::move(options), *this, clock_);
  const auto why = co_await session.run();
  leave_session();
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());  // a session disables it
  if (stopping_) co_return fail(Errc::cancelled, "it was stopped");
  const auto* refusal = why.refusal ? &*why.refusal : nullptr;
  if (parting_) {
    if (refusal != nullptr) tell_.trouble(refusal->message);
    co_return Result<void>();
  }
  const auto final = std::ranges::find(kFinal, refusal == nullptr ? std::string() : refusal->code, &Final::code);
  if (final != kFinal.end()) co_return fail(final->means, refusal->message);
  tell_.trouble(fmt::format("the session with the relay ended ({}); trying again",
                            why.message.empty() ? std::string(link::to_string(why.end)) : why.message));
  co_return Result<void>();
}

awaitable<void> OpenTunnel::serve(link::Session& session) {
  session_ = &session;
  was_linked_ = true;
  linked_.set();
  co_return;
}

// What is open may end; connections that come meanwhile wait.
void OpenTunnel::on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds drain) {
  leave_session();
  tell_.trouble(fmt::format("{}: connections that are open have {} s to end", reason,
                            std::chrono::duration_cast<std::chrono::seconds>(drain).count()));
}

Result<void> OpenTunnel::listen() {
  const auto& wanted = order_.listen;
  auto acceptor = listen_on(on_, {wanted.address, wanted.port});
  if (!acceptor && !wanted.exactly) acceptor = listen_on(on_, {wanted.address, 0});
  if (!acceptor) return std::unexpected(std::move(acceptor).error());
  SP_CHECK(tunnel::prepare(*acceptor));
  acceptor_ = *std::move(acceptor);
  boost::system::error_code ignored;
  tell_.listening(acceptor_.local_endpoint(ignored));
  return {};
}

awaitable<void> OpenTunnel::accept_all() {
  Acceptance acceptance(
      [this](const std::string& why, std::uint64_t) { complain("cannot take a connection: " + why); });
  while (!parting_) {
    auto accepted = co_await acceptance.next(acceptor_);
    if (accepted) take(std::move(accepted->socket));
  }
}

awaitable<Result<link::Channel>> OpenTunnel::next_channel() {
  const auto until = clock_.steady() + times_.wait;
  for (;;) {
    co_await linked_.wait_until(until);
    if (session_ != nullptr && !session_->ended()) co_return session_->open_channel(tunnel::kConnectionService);
    if (session_ != nullptr) leave_session();  // it says farewell: who comes now is for the next one
    if (stopping_ || clock_.steady() >= until) co_return fail(Errc::unavailable, "the relay is away");
  }
}

void OpenTunnel::leave_session() {
  session_ = nullptr;
  linked_.clear();
}

void OpenTunnel::take(tcp::socket socket) {
  connections_.spawn("connection", carry(std::move(socket), std::make_unique<Place>(*this)));
}

awaitable<void> OpenTunnel::carry(tcp::socket socket, std::unique_ptr<Place>) {
  auto channel = co_await next_channel();
  if (!channel) {
    complain("a connection was refused: " + channel.error().message);
    co_return reset(socket);
  }
  tunnel::Flow flow;
  const auto outcome = co_await tunnel::splice(socket, *channel, flow, {});
  if (outcome.end == tunnel::SpliceEnd::channel_broken && outcome.code && flow.from_channel == 0)
    complain("a connection was not carried: " + outcome.detail);
}

// The same again is told from time to time.
void OpenTunnel::complain(const std::string& trouble) {
  const bool due = troubles_.due(clock_.steady()).has_value();
  if (trouble == last_trouble_ && !due) return;
  last_trouble_ = trouble;
  tell_.trouble(trouble);
}

}  // namespace sallyport::cli
