#include "tests/unit/agent/tunnel/agent_rig.h"

#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/link/message_bytes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

policy::Policy policy_of(const std::vector<std::string>& targets) {
  std::string text = "tunnels:\n";
  for (const auto& target : targets) text += fmt::format("  - {{target: \"{}\"}}\n", target);
  auto policy = policy::parse_policy(targets.empty() ? "{}" : text, "policy.yaml", "/etc/sallyport");
  REQUIRE(policy);
  return *std::move(policy);
}

asio::awaitable<void> serve(AgentRig& rig, link::Session& session) {
  rig.serving = true;
  co_await rig.server.serve(session);
  rig.serving = false;
}

}  // namespace

AgentRig::AgentRig(const asio::any_io_executor& executor, const std::vector<std::string>& targets,
                   tunnel::ServerOptions options)
    : link(executor), policy(policy_of(targets)), server(executor, policy, log, options) {
  link.agent_options.serves = tunnel::services();
  link.agent.owner.work = [this](link::Session& session) { return serve(*this, session); };
}

asio::awaitable<void> AgentRig::start() {
  link.start();
  const bool ready = co_await link.until([&] { return link.relay.session->proven() && serving; });
  REQUIRE(ready);
}

asio::awaitable<void> AgentRig::close() {
  link.relay.session->stop("test is over");
  co_await link.join();
  CHECK_FALSE(serving);
  co_await server.finish();
}

link::Channel AgentRig::open(const std::string& purpose) {
  auto channel = link.relay.session->open_channel(purpose);
  REQUIRE(channel);
  return std::move(*channel);
}

asio::awaitable<mux::PeerReset> AgentRig::refusal(const link::Channel& channel) {
  Bytes chunk(100);
  const auto count = co_await with_timeout(30s, channel.read_some(chunk));
  REQUIRE_FALSE(count);
  const auto reset = channel.peer_reset();
  REQUIRE(reset);
  co_return *reset;
}

asio::awaitable<v1::Reach> AgentRig::reach(const std::string& target) {
  const auto channel = open("reach/1 " + target);
  REQUIRE(channel.finish());
  const auto message = co_await with_timeout(30s, channel.receive_message());
  REQUIRE(message);
  REQUIRE(*message);
  v1::Reach answer;
  REQUIRE(link::parse(answer, **message));
  const auto end = co_await with_timeout(30s, channel.receive_message());
  REQUIRE(end);
  CHECK_FALSE(*end);
  co_return answer;
}

}  // namespace sallyport::test
