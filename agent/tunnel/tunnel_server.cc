#include "agent/tunnel/tunnel_server.h"

#include "agent/platform/tcp_connect.h"
#include "agent/tunnel/dial.h"
#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/async/timeout.h"
#include "shared/base/utf8.h"
#include "shared/tunnel/splice.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

namespace sallyport::tunnel {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

constexpr std::size_t kMostDetail = 1'000;
constexpr std::chrono::seconds kAnswer{10};
constexpr std::size_t kOtherChannels = 8;  // jobs, and what either side opens besides
static_assert(ServerOptions{}.connections + kOtherChannels <= mux::MuxLimits{}.channels);
static_assert((ServerOptions{}.connections + kOtherChannels) * mux::MuxLimits{}.initial_window <=
              mux::MuxLimits{}.received);

std::string reset_text(std::string text) { return shortened(std::move(text), mux::kMaxText); }

mux::ResetCode code_of(const Error& problem) {
  if (problem.code == Errc::exhausted) return mux::ResetCode::exhausted;
  if (problem.code == Errc::cancelled) return mux::ResetCode::cancelled;
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
    : policy_(policy), log_(log), options_(options), lookups_(executor) {}

asio::awaitable<void> TunnelServer::serve(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);
  TaskGroup connections(co_await asio::this_coro::executor,
                        [this](const auto&, const auto& why) { log_.error("tunnel.fault", {{"why", why}}); });
  TaskGroup telling(co_await asio::this_coro::executor,
                    [this](const auto&, const auto& why) { log_.error("tunnel.fault", {{"why", why}}); });
  telling.spawn("repeats", tell_repeats());
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) break;
    if (connections.size() >= options_.connections) {
      if (repeats_.is_new("too_many")) log_.warn("tunnel.too_many", {{"open", connections.size()}});
      incoming->channel.reset(mux::ResetCode::exhausted,
                              fmt::format("the agent carries {} connections and takes no more", connections.size()));
      continue;
    }
    begin(connections, std::move(*incoming));
  }
  connections.stop();
  telling.stop();
  co_await connections.join();
  co_await telling.join();
  tell_rest();
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

void TunnelServer::begin(TaskGroup& connections, link::Incoming incoming) {
  const Counted counted(open_);
  const auto space = std::min(incoming.purpose.find(' '), incoming.purpose.size());
  const std::string_view service = std::string_view(incoming.purpose).substr(0, space);
  const std::string_view rest = std::string_view(incoming.purpose).substr(space);
  const auto target = parse_target(rest.starts_with(' ') ? rest.substr(1) : rest);
  if (!target) {
    if (repeats_.is_new("bad_purpose")) log_.warn("tunnel.bad_purpose", {{"why", target.error().message}});
    return incoming.channel.reset(mux::ResetCode::refused, reset_text("P14.1: " + target.error().message));
  }
  const bool asks = service == kReachService;
  connections.spawn("tunnel", asks ? answer_reach(*target, std::move(incoming.channel))
                                   : carry(*target, std::move(incoming.channel)));
}

asio::awaitable<void> TunnelServer::carry(Target target, link::Channel channel) {
  if (const auto allowed = policy_.check_tunnel(target.host, target.port); !allowed) {
    note_refusal(target, allowed.error());
    const auto& [rule, message] = allowed.error();
    co_return channel.reset(mux::ResetCode::forbidden, reset_text(rule + ": " + message));
  }
  auto socket = co_await dial_while_wanted(target, channel);
  if (!socket) {
    if (repeats_.is_new("unreachable " + to_string(target)))
      log_.info("tunnel.unreachable", {{"target", to_string(target)}, {"why", socket.error().message}});
    co_return channel.reset(code_of(socket.error()), reset_text(socket.error().message));
  }
  Flow flow;
  const auto outcome = co_await splice(*socket, channel, flow, {});
  log_.info("tunnel.closed", {{"target", to_string(target)},
                              {"end", to_string(outcome.end)},
                              {"detail", outcome.detail},
                              {"to_target", flow.from_channel},
                              {"from_target", flow.to_channel}});
}

asio::awaitable<void> TunnelServer::answer_reach(Target target, link::Channel channel) {
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
  SP_CO_TRY(auto addresses, co_await lookups_.find(target, deadline));
  auto socket = co_await platform::connect_first(std::move(addresses), options_.apart, deadline);
  if (!socket) co_return in_context("connecting to " + to_string(target), std::move(socket.error()));
  co_return socket;
}

// A client that goes away while its target is dialled does not keep a place.
asio::awaitable<Result<tcp::socket>> TunnelServer::dial_while_wanted(Target target, const link::Channel& channel) {
  using namespace asio::experimental::awaitable_operators;
  boost::system::error_code is_name;
  const auto address = asio::ip::make_address(target.host, is_name);
  if (!is_name) {
    const auto deadline = std::chrono::steady_clock::now() + options_.connect;
    auto socket = co_await connect_while_wanted({address, target.port}, channel, deadline);
    if (!socket) co_return in_context("connecting to " + to_string(target), std::move(socket.error()));
    co_return socket;
  }
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
