#include "tests/unit/relay/tunnels/tunnel_bench.h"

#include "shared/async/timeout.h"
#include "tests/support/rethrow.h"

#include <fmt/format.h>

#include <unistd.h>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

// All of 127.0.0.0/8 is this machine: programs that run beside each other take different addresses.
std::string own_address() { return fmt::format("127.{}.{}.1", 1 + ::getpid() / 250 % 250, 1 + ::getpid() % 250); }

}  // namespace

std::size_t KeptLines::count(std::string_view word) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [&](const std::string& line) { return line.contains(word); }));
}

asio::awaitable<void> StandIn::work(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);
  TaskGroup tasks(co_await asio::this_coro::executor, rethrow);
  for (;;) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) break;
    purposes.push_back(incoming->purpose);
    tasks.spawn("channel", serve(*std::move(incoming)));
  }
  tasks.stop();
  co_await tasks.join();
}

asio::awaitable<void> StandIn::serve(link::Incoming incoming) {
  auto& channel = incoming.channel;
  if (reset_with) co_return channel.reset(*reset_with, "as the test says");
  const auto space = incoming.purpose.find(' ');
  if (incoming.purpose.substr(0, space) == tunnel::kReachService) co_return co_await say(channel);
  co_await carry(channel, tunnel::parse_target(incoming.purpose.substr(space + 1)).value());
}

asio::awaitable<void> StandIn::say(link::Channel& channel) {
  if (answer) {
    (void)co_await channel.send_message(answer->SerializeAsString());
    (void)channel.finish();
  }
  (void)co_await channel.receive_message();
}

asio::awaitable<void> StandIn::carry(link::Channel& channel, tunnel::Target target) {
  if (target.host == "forbidden")
    co_return channel.reset(mux::ResetCode::forbidden, "tunnels: no rule allows " + to_string(target));
  tcp::socket socket(co_await asio::this_coro::executor);
  const auto [bad] = co_await socket.async_connect({asio::ip::make_address(target.host), target.port}, kAsValue);
  if (bad) co_return channel.reset(mux::ResetCode::unreachable, to_string(target) + ": " + bad.message());
  tunnel::Flow flow;
  REQUIRE(tunnel::prepare(socket));
  (void)co_await tunnel::splice(socket, channel, flow, {});
}

std::vector<AgentId> OneAgent::linked(const OrgId& org, const GroupId& group) const {
  return session != nullptr && org == kOrg && group == kGroup ? std::vector{kAgent} : std::vector<AgentId>();
}

bool OneAgent::is_linked(const OrgId& org, const AgentId& agent) const {
  return session != nullptr && org == kOrg && agent == kAgent;
}

std::size_t OneAgent::places_left(const OrgId& org, const AgentId& agent) const {
  return is_linked(org, agent) ? places - std::min(places, session->open_channels()) : 0;
}

Result<link::Channel> OneAgent::open(const OrgId&, const AgentId&, std::string_view purpose) {
  if (full) return fail(Errc::exhausted, "1,024 channels are open");
  if (session == nullptr) return fail(Errc::unavailable, "not linked");
  return session->open_channel(purpose);
}

tunnels::CarrierLimits quick() {
  tunnels::CarrierLimits limits;
  limits.records.gather = 2ms;
  limits.records.retry = 1ms;
  limits.look = 2ms;
  limits.retry = 10ms;
  return limits;
}

TunnelBench::TunnelBench(asio::any_io_executor executor, tunnels::CarrierLimits limits, tunnels::CarrierPlaces places)
    : on(executor),
      link(executor),
      carrier(executor, {book, agents, clock, log, metrics}, std::move(places), limits),
      target(executor, {asio::ip::address_v4::loopback(), 0}),
      tasks(executor, rethrow),
      running(executor, rethrow) {
  link.agent_options.serves = {"tunnel/1", "reach/1"};
  link.agent.owner.work = [this](link::Session& session) { return agent.work(session); };
}

asio::awaitable<void> TunnelBench::start() {
  link.start();
  const bool ready = co_await until([&] { return link.relay.session->proven(); });
  REQUIRE(ready);
  agents.session = link.relay.session.get();
  const auto loaded = co_await carrier.load();
  REQUIRE(loaded);
  running.spawn("carrier", carrier.run());
}

asio::awaitable<void> TunnelBench::stop_carrier() {
  running.stop();
  co_await running.join();
}

void TunnelBench::stop_carrier_soon() { running.stop(); }

asio::awaitable<void> TunnelBench::finish() {
  co_await stop_carrier();
  tasks.stop();
  co_await tasks.join();
  link.agent.session->stop("test is over");
  co_await link.join();
}

store::Tunnel TunnelBench::tunnel(std::string host) {
  const auto port = next_port_++;
  return {.id = TunnelId(fmt::format("tun_{}", port)),
          .org = kOrg,
          .name = fmt::format("t{}", port),
          .group = kGroup,
          .host = std::move(host),
          .port = target.local_endpoint().port(),
          .listener = domain::TunnelListener{own_address(), port},
          .networks = {"127.0.0.0/8"},
          .created_by = UserId("usr_1"),
          .created_at = clock.wall()};
}

asio::awaitable<error_code> TunnelBench::connect(tcp::socket& socket, store::Tunnel to, std::string from) {
  socket.open(tcp::v4());
  socket.bind({asio::ip::make_address(from), 0});
  const auto [bad] =
      co_await socket.async_connect({asio::ip::make_address(to.listener->address), to.listener->port}, kAsValue);
  co_return bad;
}

asio::awaitable<tcp::socket> TunnelBench::dial(store::Tunnel to, std::string from) {
  tcp::socket socket(on);
  const auto bad = co_await connect(socket, std::move(to), std::move(from));
  if (bad) FAIL_CHECK("dialing: " << bad.message());
  co_return socket;
}

// The reset may come before the client has seen that it is connected.
asio::awaitable<bool> TunnelBench::turned_away(store::Tunnel to, std::string from) {
  tcp::socket socket(on);
  auto bad = co_await connect(socket, std::move(to), std::move(from));
  if (!bad) bad = co_await read_error(socket);
  co_return bad == asio::error::connection_reset;
}

asio::awaitable<tcp::socket> TunnelBench::taken() {
  auto [bad, socket] = co_await target.async_accept(kAsValue);
  if (bad) FAIL_CHECK("accepting: " << bad.message());
  co_return std::move(socket);
}

asio::awaitable<bool> TunnelBench::ended(std::string end, std::size_t count) {
  co_return co_await until([&] { return book.ended(end) == count; });
}

store::TunnelConnection TunnelBench::record(std::string_view end) const {
  for (const auto& [id, record] : book.records) {
    if (record.end == end) return record;
  }
  FAIL("no record ended " << end);
  return {};
}

std::uint64_t TunnelBench::counted(std::string_view series) const {
  const auto text = metrics.prometheus();
  const auto at = text.find("\n" + std::string(series) + " ");
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + series.size() + 2));
}

}  // namespace sallyport::test
