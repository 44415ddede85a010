#include "tests/link/relay/gateway_rig.h"

#include "agent/platform/tcp_connect.h"
#include "proto/sallyport/v1/jobs.pb.h"
#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/timeout.h"
#include "shared/mux/message.h"
#include "shared/tls/nested.h"
#include "shared/tls/socket.h"
#include "shared/websocket/stream.h"
#include "tests/support/memory_stream.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

tls::ServerContext context_of(IdentityWorld& world) {
  const auto& deployment = world.deployment;
  return must(tls::make_server_context(
      {deployment.server.certificate, deployment.server.key, deployment.root, deployment.trust_domain}, world.clock));
}

SteadyTime in(std::chrono::milliseconds length) { return std::chrono::steady_clock::now() + length; }

agent::SupervisorOptions agent_options(agent::Endpoint relay, char boot, const ServedPurpose& served) {
  agent::SupervisorOptions options;
  options.relay = std::move(relay);
  options.session.side = mux::Side::agent;
  options.session.self.capabilities = {"jobs", "renewal", "health"};
  if (!served.capability.empty()) {
    options.session.self.capabilities.push_back(served.capability);
    options.session.serves.push_back(served.purpose);
  }
  options.session.self.software = "sallyport-agent/test";
  options.session.self.hostname = "host-1";
  options.session.self.boot_id = Bytes(16, std::byte(boot));
  options.backoff = {20ms, 200ms, 10s, 200ms};
  options.connect = 5s;
  return options;
}

}  // namespace

GatewayRig::GatewayRig(asio::any_io_executor on, gateway::GatewayLimits limits)
    : loop(on),
      history(world.stores.history, faults),
      parcels({world.stores.recipes, history, world.envelope, memory}),
      outlines(world.stores.recipes),
      retention(world.stores.retentions, world.clock),
      feed(on),
      dispatcher(on, {world.stores.jobs, parcels, memory, world.envelope, feed, world.clock, log}),
      journals({world.stores.agents, dispatcher, world.audit, log}),
      assigner(on, {world.stores.organisations, world.stores.recipes, world.stores.groups, world.stores.agents,
                    world.stores.assignments, parcels, world.stores.retentions, log}),
      jobs(world.stores.jobs, faults),
      recorder(on, {world.stores.agents, jobs, history, outlines, retention, world.stores.assignments, world.envelope,
                    fingerprints, world.audit, dispatcher, feed, world.clock, log}),
      courier(on, {links, world.stores.system_keys, world.envelope, world.clock, log}),
      gateway(on, parts(), context_of(world), limits),
      tasks(on, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
      limits_(limits) {}

gateway::Gateway::Parts GatewayRig::parts() {
  return {{links, world.admissions, world.renewals, dispatcher, journals, recorder, assigner, world.stores.agents,
           world.stores.connections, world.envelope, courier, clocks, world.clock, log},
          world.enrolments,
          world.revocations,
          metrics};
}

awaitable<void> GatewayRig::start() {
  tenant = co_await world.settle("ours");
  must(co_await world.revocations.load());
  must(gateway.listen("127.0.0.1", 0));
  tasks.spawn("dispatcher", dispatcher.run());
  tasks.spawn("assigner", assigner.run());
  tasks.spawn("system keys", courier.run());
  port_ = gateway.port();
  open(gateway);
}

void GatewayRig::open(gateway::Gateway& one) {
  door_ = std::make_unique<TaskGroup>(loop, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); });
  door_->spawn("gateway", one.run());
}

awaitable<void> GatewayRig::close() {
  door_->stop();
  co_await door_->join();
}

awaitable<void> GatewayRig::restart() {
  co_await close();
  next_ = std::make_unique<gateway::Gateway>(loop, parts(), context_of(world), limits_);
  must(next_->listen("127.0.0.1", port_));
  open(*next_);
}

awaitable<void> GatewayRig::finish() {
  if (door_) co_await close();
  tasks.stop();
  co_await tasks.join();
}

awaitable<std::string> GatewayRig::string_for(Tenant of, std::uint32_t max_uses,
                                              std::function<void(crypto::EnrolmentString&)> bend) {
  auto parts = co_await world.token(of, max_uses);
  parts.relay_host = endpoint().host;
  parts.relay_port = endpoint().port;
  if (bend) bend(parts);
  co_return std::string(must(crypto::format_enrolment_string(parts)).reveal());
}

awaitable<Result<agent::Identity>> GatewayRig::enrol(std::string text, std::string proxy, const Clock* agents_clock) {
  const agent::Dialer dialer(loop, std::move(proxy), agent::process_environment);
  agent::EnrolSettings settings{"host-1", "sallyport-agent/test"};
  co_return co_await agent::enrol(std::move(text), std::move(settings), dialer,
                                  agents_clock ? *agents_clock : world.clock, in(20s));
}

awaitable<agent::Identity> GatewayRig::enrolled() {
  auto text = co_await string_for(tenant);
  co_return must(co_await enrol(std::move(text)));
}

awaitable<std::unique_ptr<RealAgent>> GatewayRig::linked(const agent::Identity& identity, char boot, agent::Way way) {
  auto agent = std::make_unique<RealAgent>(*this, identity, "none", boot, way);
  agent->start();
  const bool ready = co_await agent->until_ready();
  REQUIRE(ready);
  co_return agent;
}

awaitable<asio::ip::tcp::socket> GatewayRig::connect() {
  const asio::ip::tcp::endpoint here(asio::ip::address_v4::loopback(), port_);
  co_return must(co_await platform::connect_first({here}, 1s, in(5s)));
}

awaitable<std::size_t> GatewayRig::agents() {
  const auto page = must(co_await world.stores.agents.list(tenant.org, {}, {.limit = 200}));
  co_return page.items.size();
}

awaitable<bool> GatewayRig::audited(OrgId org, std::initializer_list<std::string_view> words) {
  const auto deadline = in(10s);
  for (;;) {  // the answer to the agent may be ahead of the ledger
    const auto events = co_await world.audited(org);
    const bool found = mentions(events, words);
    if (found || std::chrono::steady_clock::now() > deadline) co_return found;
  }
}

awaitable<bool> GatewayRig::until(std::function<bool()> holds) {
  const auto deadline = in(20s);
  while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
  co_return holds();
}

awaitable<Result<std::unique_ptr<ByteStream>>> CarriedTransport::connect(agent::Endpoint relay, SteadyTime deadline) {
  SP_CO_TRY(const auto identity, identities_.load());
  SP_CO_TRY(const auto context,
            tls::make_link_client_context({identity.chain, identity.key, identity.root}, rig_.world.clock));
  SP_CO_TRY(auto serve, rig_.gateway.take_carried("192.0.2.9"));
  auto line = memory_line(rig_.loop);
  rig_.tasks.spawn("carried", serve(websocket::make_stream(rig_.loop, std::move(line.b), websocket::Side::server)));
  auto stream = co_await tls::connect_nested_tls(
      websocket::make_stream(rig_.loop, std::move(line.a), websocket::Side::client), context, relay.host, deadline);
  if (!stream) co_return std::unexpected(std::move(stream.error().error));
  co_return *std::move(stream);
}

RealAgent::RealAgent(GatewayRig& rig, const agent::Identity& identity, std::string proxy, char boot, agent::Way way,
                     ServedPurpose served)
    : rig_(rig),
      served_(std::move(served)),
      log_(lines, rig.world.clock, LogLevel::debug),
      dialer_(rig.loop, std::move(proxy), agent::process_environment),
      transport_(way == agent::Way::direct ? std::unique_ptr<agent::Transport>(std::make_unique<agent::TlsTransport>(
                                                 dialer_, identities, rig.world.clock))
                                           : std::make_unique<CarriedTransport>(rig, identities)),
      renewer_(
          identities, {10ms, 5s, 30ms, 100ms, 20ms, 20ms, 10ms}, [] { return 0.5; }, rig.world.clock, log_),
      has_outgoing_(rig.loop),
      tasks_(rig.loop, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
      supervisor_(rig.loop, agent_options(identity.relay, boot, served_),
                  {*transport_, *this, &renewer_, rig.world.clock, log_, &own_clock}, [] { return 0.5; }) {
  must(identities.install(identity));
  identities.installed = 0;
}

RealAgent::~RealAgent() = default;

void RealAgent::start() { tasks_.spawn("supervisor", supervisor_.run()); }

awaitable<void> RealAgent::finish() {
  supervisor_.stop("test is over");
  co_await tasks_.join();
}

awaitable<bool> RealAgent::until_ready() {
  return rig_.until([this] { return status().state == agent::LinkState::ready; });
}

void RealAgent::send(const v1::ToRelay& message) {
  outgoing_.push_back(message.SerializeAsString());
  has_outgoing_.set();
}

awaitable<void> RealAgent::on_link(link::Session& session) {
  if (!served_.serve) co_return;
  while (auto incoming = co_await session.accept_channel()) co_await served_.serve(std::move(incoming->channel));
}

awaitable<void> RealAgent::on_jobs(link::Session& session) {
  ++links;
  auto channel = session.open_channel("jobs/1");
  if (!channel) co_return;
  v1::ToRelay first;
  first.mutable_holding();
  outgoing_.insert(outgoing_.begin(), first.SerializeAsString());
  TaskGroup sender(rig_.loop, [](const auto&, auto) {});
  sender.spawn("send", send_loop(*channel));
  for (;;) {
    const auto message = co_await channel->receive_message();
    if (!message || !*message) break;
    auto& one = told.emplace_back();
    if (!one.ParseFromArray((*message)->data(), static_cast<int>((*message)->size()))) FAIL_CHECK("not a ToAgent");
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  sender.stop();
  co_await sender.join();
}

awaitable<void> RealAgent::send_loop(link::Channel& channel) {
  for (;;) {
    if (outgoing_.empty()) {
      has_outgoing_.clear();
      co_await has_outgoing_.wait();
      continue;
    }
    auto next = std::move(outgoing_.front());
    outgoing_.erase(outgoing_.begin());
    const auto sent = co_await channel.send_message(std::move(next));
    if (!sent) co_return;
  }
}

awaitable<std::expected<RawAgent, tls::Refusal>> RawAgent::connect(GatewayRig& rig, const agent::Identity& identity,
                                                                   std::string_view protocol) {
  co_return co_await connect(rig, identity, protocol, co_await rig.connect());
}

awaitable<std::expected<RawAgent, tls::Refusal>> RawAgent::connect(GatewayRig& rig, const agent::Identity& identity,
                                                                   std::string_view protocol,
                                                                   asio::ip::tcp::socket socket) {
  const auto context =
      protocol == tls::kEnrolProtocol
          ? must(tls::make_enrol_client_context(identity.root.key_pin(), rig.world.clock))
          : must(tls::make_link_client_context({identity.chain, identity.key, identity.root}, rig.world.clock));
  must(tls::prepare_socket(socket));
  auto stream = co_await tls::connect_tls(std::move(socket), context, "127.0.0.1", in(5s));
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  co_return RawAgent(*std::move(stream));
}

std::string as_message(const v1::ToRelay& message) {
  const auto body = message.SerializeAsString();
  return std::string(as_text(mux::message_prefix(body.size()))) + body;
}

}  // namespace sallyport::test
