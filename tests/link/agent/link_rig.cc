#include "tests/link/agent/link_rig.h"

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

agent::SupervisorOptions quick_options(agent::Endpoint relay) {
  agent::SupervisorOptions options;
  options.relay = std::move(relay);
  options.session = patient_options(mux::Side::agent);
  options.backoff = {20ms, 200ms, 10s, 200ms};
  options.connect = 30s;
  return options;
}

}  // namespace

LinkRig::LinkRig(asio::any_io_executor executor, std::string proxy)
    : relay(executor, pki, clock),
      dialer(executor, std::move(proxy), agent::process_environment),
      renewer(
          identities, {10ms, 2s, 30ms, 100ms, 0ms, 0ms, 500ms}, [] { return 0.5; }, clock, log),
      work(executor),
      tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
      supervisor(executor, quick_options(relay.endpoint()), {transport, work, &renewer, clock, log},
                 [] { return 0.5; }) {
  must(identities.install(relay.identity_for(pki.agent())));
  identities.installed = 0;
}

asio::awaitable<bool> LinkRig::until(std::function<bool()> holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
  co_return holds();
}

asio::awaitable<bool> LinkRig::until_ready() {
  return until([this] { return supervisor.status().state == agent::LinkState::ready; });
}

asio::awaitable<void> LinkRig::finish() {
  supervisor.stop("test is over");
  co_await tasks.join();
  co_await relay.finish();
}

}  // namespace sallyport::test
