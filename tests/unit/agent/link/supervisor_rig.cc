#include "tests/unit/agent/link/supervisor_rig.h"

namespace sallyport::test {

asio::awaitable<Result<std::unique_ptr<ByteStream>>> FakeRelay::connect(agent::Endpoint to, SteadyTime) {
  dialled_at.push_back(to_string(to));
  dialled.push_back(std::chrono::steady_clock::now());
  if (hangs) co_await never.wait();
  if (failures > 0) {
    --failures;
    co_return fail(failure, "connection refused by the test");
  }
  lines.push_back(memory_line(on));
  auto& end = ends.emplace_back();
  end.owner.gate = gate;
  end.owner.deaf = deaf;
  auto options = patient_options(mux::Side::relay);
  options.times.heartbeat = heartbeat;
  if (wants > 0) options.self.capabilities.emplace_back(link::kLinks);
  if (wants_time) options.self.capabilities.emplace_back(agent::kClock);
  options.self.links = wants;
  options.self.addresses = addresses;
  options.times.misses = 1'000'000;  // the agent is the one that judges
  end.session =
      std::make_unique<link::Session>(on, std::move(lines.back().b), std::move(options), end.owner, end.clock);
  tasks.spawn("relay", run_endpoint(end));
  co_return std::move(lines.back().a);
}

}  // namespace sallyport::test
