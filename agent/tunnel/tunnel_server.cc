#include "agent/tunnel/tunnel_server.h"

#include "agent/platform/tcp_connect.h"
#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <list>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::size_t kMostDetail = 1'000;
constexpr std::chrono::seconds kAnswer{10};
constexpr std::size_t kLookups = 4;        // at the same time
constexpr std::size_t kOtherChannels = 8;  // jobs, and what either side opens besides
static_assert(ServerOptions{}.connections + kOtherChannels <= mux::MuxLimits{}.channels);
static_assert((ServerOptions{}.connections + kOtherChannels) * mux::MuxLimits{}.initial_window <=
              mux::MuxLimits{}.received);
static_assert(mux::WriterLimits{}.channel == 256u << 10 && mux::WriterLimits{}.batch == 128u << 10);  // P14.6

std::string reset_text(std::string text) { return shortened(std::move(text), mux::kMaxText); }

mux::ResetCode code_of(const Error& problem) {
  if (problem.code == Errc::exhausted) return mux::ResetCode::exhausted;
  if (problem.code == Errc::cancelled) return mux::ResetCode::cancelled;
  if (problem.code == Errc::internal) return mux::ResetCode::internal;
  return mux::ResetCode::unreachable;
}

struct Counted {
  explicit Counted(std::size_t& of) : count(of) { ++count; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count; }
  std::size_t& count;
};

asio::awaitable<Result<void>> send_answer(const link::Channel& channel, std::string answer) {
  return with_timeout(kAnswer, channel.send_message(std::move(answer)));
}

}  // namespace

std::vector<std::string> services() { return {std::string(kTunnelService), std::string(kReachService)}; }

TunnelServer::TunnelServer(const asio::any_io_executor& executor, const policy::Policy& policy, const Log& log,
                           ServerOptions options)
    : policy_(policy),
      log_(log),
      options_(options),
      lookups_(executor, kLookups),
      ending_(executor, [this](const auto&, const auto& why) { log_.error("tunnel.fault", {{"why", why}}); }) {}

// What the channels of one link come to.
struct TunnelServer::OfLink {
  OfLink(const asio::any_io_executor& on, const Log& log)
      : executor(on),
        tasks(on, [&log](const auto&, const auto& why) { log.error("tunnel.fault", {{"why", why}}); }),
        fewer(on) {}
  std::size_t size() const { return connections.size() + questions; }

  asio::any_io_executor executor;
  std::list<std::shared_ptr<Connection>> connections;
  std::size_t questions = 0;
  TaskGroup tasks;  // questions, names that are looked up, and what tells of it all
  Event fewer;      // connections
};

asio::awaitable<void> TunnelServer::serve(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto kept = std::make_shared<OfLink>(co_await asio::this_coro::executor, log_);
  auto& link = *kept;
  link.tasks.spawn("repeats", tell_repeats());
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) break;
    if (link.size() >= options_.connections || open_ >= link::kLinkPlaces * options_.connections) {
      if (repeats_.is_new("too_many")) log_.warn("tunnel.too_many", {{"open", link.size()}});
      incoming->channel.reset(mux::ResetCode::exhausted,
                              fmt::format("the agent carries {} connections and takes no more", link.size()));
      continue;
    }
    try {
      begin(kept, std::move(*incoming));
    } catch (const std::exception& fault) {  // the channel was reset with its handle
      log_.error("tunnel.fault", {{"why", fault.what()}});
    }
  }
  link.tasks.stop();
  co_await link.tasks.join();
  if (!session.ended()) {
    for (const auto& connection : link.connections) connection->stop();
  }
  ending_.spawn("ending", see_out(kept));
  tell_rest();
}

// Beside the next link: a target may be slow.
asio::awaitable<void> TunnelServer::see_out(std::shared_ptr<OfLink> link) {
  for (; !link->connections.empty(); link->fewer.clear()) co_await link->fewer.wait();
}

asio::awaitable<void> TunnelServer::tell_repeats() {
  for (;;) {
    co_await sleep_for(options_.told_once);
    tell_rest();
  }
}

void TunnelServer::tell_rest() {
  for (const auto& [what, times] : repeats_.take()) log_.warn("tunnel.again", {{"what", what}, {"times", times}});
}

void TunnelServer::begin(const std::shared_ptr<OfLink>& link, link::Incoming incoming) {
  const auto space = std::min(incoming.purpose.find(' '), incoming.purpose.size());
  const std::string_view service = std::string_view(incoming.purpose).substr(0, space);
  const std::string_view rest = std::string_view(incoming.purpose).substr(space);
  if (const auto other = others_.find(incoming.purpose); other != others_.end())
    return link->tasks.spawn("other", other->second(std::move(incoming.channel)));
  auto target = parse_target(rest.starts_with(' ') ? rest.substr(1) : rest);
  if (!target) {
    if (repeats_.is_new("bad_purpose")) log_.warn("tunnel.bad_purpose", {{"why", target.error().message}});
    return incoming.channel.reset(mux::ResetCode::refused, reset_text("P14.1: " + target.error().message));
  }
  if (service == kReachService) {
    link->tasks.spawn("question", answer_reach(*link, *std::move(target), std::move(incoming.channel)));
  } else {
    carry(link, *std::move(target), std::move(incoming.channel));
  }
}

void TunnelServer::carry(const std::shared_ptr<OfLink>& link, Target target, link::Channel channel) {
  if (const auto allowed = policy_.check_tunnel(target.host, target.port); !allowed) {
    note_refusal(target, allowed.error());
    const auto& [rule, message] = allowed.error();
    return channel.reset(mux::ResetCode::forbidden, reset_text(rule + ": " + message));
  }
  boost::system::error_code is_name;
  const auto address = asio::ip::make_address(target.host, is_name);
  std::list<std::shared_ptr<Connection>> made(1);
  const auto at = made.begin();
  auto on_over = [this, link, at](const Result<SpliceOutcome>& outcome) {
    over(**at, outcome);
    link->connections.erase(at);
    link->fewer.set();
    --open_;
  };
  const auto connection =
      std::make_shared<Connection>(link->executor, std::move(target), std::move(channel), std::move(on_over));
  *at = connection;
  link->connections.splice(link->connections.end(), made);
  ++open_;
  try {
    if (is_name) return link->tasks.spawn("name", dial_name(connection));
    connection->dial({address, connection->target().port}, std::chrono::steady_clock::now() + options_.connect);
  } catch (const std::exception& fault) {
    connection->fail({Errc::internal, fault.what()});
  }
}

asio::awaitable<void> TunnelServer::dial_name(std::shared_ptr<Connection> connection) {
  Result<tcp::socket> socket = fail(Errc::cancelled, "the link ended while it was dialled");
  try {
    socket = co_await dial_while_wanted(connection->target(), connection->channel());
  } catch (const std::exception& fault) {
    socket = fail(Errc::internal, fault.what());
  }
  connection->dialled(std::move(socket));
}

void TunnelServer::over(const Connection& connection, const Result<SpliceOutcome>& outcome) {
  const auto target = to_string(connection.target());
  if (!outcome) {
    auto why = outcome.error().message;
    if (repeats_.is_new("unreachable " + target)) log_.info("tunnel.unreachable", {{"target", target}, {"why", why}});
    return connection.channel().reset(code_of(outcome.error()), reset_text(std::move(why)));
  }
  log_.info("tunnel.closed", {{"target", target},
                              {"end", to_string(outcome->end)},
                              {"detail", outcome->detail},
                              {"to_target", connection.flow().from_channel},
                              {"from_target", connection.flow().to_channel}});
}

asio::awaitable<void> TunnelServer::answer_reach(OfLink& link, Target target, link::Channel channel) {
  const Counted of_link(link.questions);
  const Counted of_all(open_);
  v1::Reach answer;
  if (const auto allowed = policy_.check_tunnel(target.host, target.port); !allowed) {
    note_refusal(target, allowed.error());
    answer.set_rule(allowed.error().rule);
    answer.set_detail(shortened(allowed.error().message, kMostDetail));
  } else {
    answer.set_allowed(true);
    const auto begun = std::chrono::steady_clock::now();
    const auto socket = co_await dial_while_wanted(target, channel);
    const auto took = std::chrono::steady_clock::now() - begun;
    answer.set_answers(socket.has_value());
    answer.set_connect_ms(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
    if (!socket) answer.set_detail(shortened(socket.error().message, kMostDetail));
  }
  if (co_await send_answer(channel, answer.SerializeAsString())) (void)channel.finish();
}

asio::awaitable<Result<tcp::socket>> TunnelServer::dial(Target target) {
  const auto deadline = std::chrono::steady_clock::now() + options_.connect;
  SP_CO_TRY(auto addresses, co_await lookups_.find(target.host, target.port, deadline));
  auto socket = co_await platform::connect_first(std::move(addresses), options_.apart, deadline);
  if (!socket) co_return in_context("connecting to " + to_string(target), std::move(socket.error()));
  co_return socket;
}

// A client that goes away while its target is dialled does not keep a place.
asio::awaitable<Result<tcp::socket>> TunnelServer::dial_while_wanted(Target target, const link::Channel& channel) {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (dial(std::move(target)) || channel.wait_broken());
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return fail(Errc::cancelled, "not wanted any more: " + std::get<1>(first).message);
}

void TunnelServer::note_refusal(const Target& target, const policy::Refusal& refusal) {
  if (!repeats_.is_new("policy.refused " + to_string(target))) return;
  log_.warn("agent.event", {{"kind", "policy.refused"},
                            {"tunnel_target", to_string(target)},
                            {"rule", refusal.rule},
                            {"message", refusal.message}});
}

}  // namespace sallyport::tunnel
