#include "tests/link/tunnels/tunnel_site.h"

#include "shared/async/timeout.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>

#include <unistd.h>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

agent::SupervisorOptions options(agent::Endpoint relay) {
  agent::SupervisorOptions options;
  options.relay = std::move(relay);
  options.session.side = mux::Side::agent;
  options.session.self.capabilities = {"jobs", "renewal", "health", std::string(tunnel::kCapability)};
  options.session.self.software = "sallyport-agent/test";
  options.session.self.boot_id = Bytes(16, std::byte{1});
  options.session.serves = tunnel::services();
  options.backoff = {20ms, 200ms, 10s, 200ms};
  options.connect = 5s;
  return options;
}

// The target, and a port where nobody listens.
policy::Policy policy_for(std::uint16_t port) {
  const auto text =
      fmt::format("version: 1\ntunnels:\n  - {{target: \"127.0.0.1:{}\"}}\n  - {{target: \"127.0.0.1:1\"}}\n", port);
  auto policy = policy::parse_policy(text, "policy.yaml", "/etc/sallyport");
  if (!policy) throw std::runtime_error(to_string(policy.error().front()));
  return *std::move(policy);
}

// All of 127.0.0.0/8 is this machine: programs that run beside each other take different addresses.
std::string own_address() { return fmt::format("127.{}.{}.2", 1 + ::getpid() / 250 % 250, 1 + ::getpid() % 250); }

}  // namespace

TunnelAgent::TunnelAgent(GatewayRig& rig, const agent::Identity& identity, policy::Policy policy)
    : log_(lines, rig.world.clock, LogLevel::debug),
      policy_(std::move(policy)),
      server_(rig.loop, policy_, log_),
      dialer_(rig.loop, "none", agent::process_environment),
      transport_(dialer_, identities, rig.world.clock),
      renewer_(
          identities, {10ms, 5s, 30ms, 100ms}, [] { return 0.5; }, rig.world.clock, log_),
      tasks_(rig.loop, [](const auto& task, const auto& why) { FAIL_CHECK("a fault in " << task << ": " << why); }),
      supervisor_(rig.loop, options(identity.relay), {transport_, *this, &renewer_, rig.world.clock, log_},
                  [] { return 0.5; }) {
  must(identities.install(identity));
}

awaitable<void> TunnelAgent::finish() {
  supervisor_.stop("test is over");
  co_await tasks_.join();
  co_await server_.finish();
}

awaitable<void> TunnelAgent::on_jobs(link::Session& session) {
  ++links;
  auto jobs = session.open_channel("jobs/1");
  if (!jobs) co_return;
  for (;;) {
    const auto message = co_await jobs->receive_message();
    if (!message || !*message) co_return;
  }
}

tunnels::CarrierLimits quick_limits() {
  tunnels::CarrierLimits limits;
  limits.records.gather = 5ms;
  limits.look = 5ms;
  return limits;
}

TunnelSite::TunnelSite(asio::any_io_executor loop, tunnels::CarrierLimits limits)
    : rig(loop),
      carrier(loop, {rig.world.stores.tunnels, rig.links, rig.world.clock, rig.log, rig.metrics}, {}, limits),
      target(loop, {asio::ip::address_v4::loopback(), 0}),
      port(target.local_endpoint().port()),
      tasks(loop, [](const auto& task, const auto& why) { FAIL_CHECK("a fault in " << task << ": " << why); }) {}

awaitable<void> TunnelSite::start() {
  co_await rig.start();
  const auto identity = co_await rig.enrolled();
  agent_id = identity.id.agent;
  agent = std::make_unique<TunnelAgent>(rig, identity, policy_for(port));
  agent->start();
  must(co_await carrier.load());
  tasks.spawn("carrier", carrier.run());
  const bool linked = co_await rig.until(
      [&] { return agent->is_ready() && !rig.links.linked(rig.tenant.org, rig.tenant.group).empty(); });
  REQUIRE(linked);
}

awaitable<void> TunnelSite::stop_carrier() {
  tasks.stop();
  co_await tasks.join();
}

awaitable<void> TunnelSite::finish() {
  co_await stop_carrier();
  co_await agent->finish();
  co_await rig.finish();
}

awaitable<store::Tunnel> TunnelSite::open(std::function<void(store::Tunnel&)> bend) {
  const auto entrance = next_port_++;
  store::Tunnel tunnel{.id = crypto::new_id<TunnelId>(rig.world.clock),
                       .org = rig.tenant.org,
                       .name = fmt::format("t{}", entrance),
                       .group = rig.tenant.group,
                       .host = "127.0.0.1",
                       .port = port,
                       .listener = domain::TunnelListener{own_address(), entrance},
                       .networks = {"127.0.0.0/8"},
                       .created_by = rig.tenant.owner,
                       .created_at = rig.world.clock.wall()};
  if (bend) bend(tunnel);
  must(co_await rig.world.stores.tunnels.add(rig.tenant.org, tunnel));
  must(carrier.put(tunnel));
  co_return tunnel;
}

awaitable<boost::system::error_code> TunnelSite::connect(tcp::socket& socket, store::Tunnel to, std::string from) {
  socket.open(tcp::v4());
  socket.bind({asio::ip::make_address(from), 0});
  const tcp::endpoint entrance(asio::ip::make_address(to.listener->address), to.listener->port);
  const auto [bad] = co_await socket.async_connect(entrance, kAsValue);
  co_return bad;
}

awaitable<tcp::socket> TunnelSite::dial(store::Tunnel to) {
  tcp::socket socket(rig.loop);
  const auto bad = co_await connect(socket, std::move(to), "127.0.0.1");
  if (bad) FAIL_CHECK("dialing: " << bad.message());
  co_return socket;
}

// The reset may come before the client has seen that it is connected.
awaitable<bool> TunnelSite::turned_away(store::Tunnel to, std::string from) {
  tcp::socket socket(rig.loop);
  auto bad = co_await connect(socket, std::move(to), std::move(from));
  if (!bad) bad = co_await read_error(socket);
  co_return bad == asio::error::connection_reset;
}

awaitable<tcp::socket> TunnelSite::taken() {
  auto [bad, socket] = co_await target.async_accept(kAsValue);
  if (bad) FAIL_CHECK("accepting: " << bad.message());
  co_return std::move(socket);
}

awaitable<std::vector<store::TunnelConnection>> TunnelSite::records(TunnelId of) {
  auto page = must(co_await rig.world.stores.tunnels.list_connections(rig.tenant.org, of, {.limit = 200}));
  co_return std::move(page.items);
}

awaitable<void> TunnelSite::noted(TunnelId of, std::function<bool(const store::TunnelConnection&)> as) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (;;) {
    const auto found = co_await records(of);
    if (found.size() == 1 && as(found[0])) co_return;
    if (std::chrono::steady_clock::now() > deadline) {
      FAIL_CHECK("the record did not come to be as it should");
      co_return;
    }
    co_await sleep_for(2ms);
  }
}

awaitable<store::TunnelConnection> TunnelSite::ended(TunnelId of, std::string end) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (;;) {
    const auto found = co_await records(of);
    if (found.size() == 1 && found[0].end == end) co_return found[0];
    if (std::chrono::steady_clock::now() > deadline) {
      FAIL_CHECK("the end is \"" << (found.empty() ? "no record" : found[0].end) << "\" and not \"" << end << "\"");
      co_return store::TunnelConnection();
    }
    co_await sleep_for(2ms);
  }
}

}  // namespace sallyport::test
