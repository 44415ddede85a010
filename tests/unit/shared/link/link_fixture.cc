#include "tests/unit/shared/link/link_fixture.h"

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;

LinkPair::LinkPair(asio::any_io_executor executor)
    : on(executor),
      tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
      line(memory_line(executor)) {}

void LinkPair::start() {
  agent.session = std::make_unique<link::Session>(on, std::move(line.a), agent_options, agent.owner, agent.clock);
  relay.session = std::make_unique<link::Session>(on, std::move(line.b), relay_options, relay.owner, relay.clock);
  tasks.spawn("agent", run_endpoint(agent));
  tasks.spawn("relay", run_endpoint(relay));
}

asio::awaitable<bool> LinkPair::until(std::function<bool()> holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
  co_return holds();
}

}  // namespace sallyport::test
