#include "tests/unit/relay/api/running_job.h"

#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::test {

using namespace std::chrono_literals;

asio::awaitable<Bytes> seal(World& world, keys::RecordIdentity identity, std::string text) {
  co_return must(co_await world.envelope.seal(std::move(identity), as_bytes(text)));
}

asio::awaitable<Running> run_job(World& world, Tenant tenant) {
  const auto targets = co_await world.make_targets(tenant);
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(tenant.org, targets.job, {targets.agent, 0, now, now + 1min}));
  co_return Running{tenant, targets.recipe, targets.agent, targets.job};
}

asio::awaitable<void> report(World& world, Running run, std::uint64_t seq, decltype(store::HistoryEntry::what) what) {
  std::vector<store::HistoryEntry> entries{{seq, world.clock.wall(), std::move(what)}};
  must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::move(entries)));
  world.feed.publish(run.tenant.org, run.recipe, {run.job, seq});
}

asio::awaitable<void> report_step(World& world, Running run, std::uint64_t seq, std::string output) {
  const auto named = [&](const char* column) {
    return jobs::step_identity(run.tenant.org, column, run.job, "rows", 1);
  };
  auto input = co_await seal(world, named("input"), R"({"query":"input-canary"})");
  auto sealed = co_await seal(world, named("output"), std::move(output));
  co_await report(world, run, seq, store::StepStarted{"rows", 1, "sql.query@1", std::move(input)});
  co_await report(
      world, run, seq + 1,
      store::StepFinished{.path = "rows", .attempt = 1, .sealed_output = std::move(sealed), .retry_at = std::nullopt});
}

asio::awaitable<std::vector<http::ServerEvent>> collect(http::EventSource& source, std::size_t count) {
  std::vector<http::ServerEvent> events;
  while (events.size() < count) {
    auto event = co_await source.next(std::chrono::steady_clock::now() + 2s);
    if (!event) break;
    if (event->name.empty()) break;  // silence
    events.push_back(*std::move(event));
  }
  co_return events;
}

std::string names_of(const std::vector<http::ServerEvent>& events) {
  std::string out;
  for (const auto& event : events) out += event.name + (event.id.empty() ? "" : "#" + event.id) + " ";
  return out;
}

asio::awaitable<std::unique_ptr<http::EventSource>> watch(World& world, Running run, std::string token,
                                                          std::string last) {
  Ask ask{"GET", "/v1/jobs/" + run.job.value + "/watch", std::move(token)};
  if (!last.empty()) ask.headers.push_back("Last-Event-ID: " + last);
  auto reply = co_await world.play(std::move(ask));
  co_return std::move(std::get<http::StreamResponse>(reply).events);
}

asio::awaitable<void> run_items(World& world, Running run, std::size_t count) {
  std::vector<store::HistoryEntry> batch;
  for (std::size_t item = 0; item < count; ++item) {
    const auto path = fmt::format("each[{}]", item);
    std::optional<Bytes> output;
    if (item % 2 == 0) {
      auto identity = jobs::step_identity(run.tenant.org, "output", run.job, path, 1);
      output = co_await seal(world, std::move(identity), to_json(Value(std::string(1'022, 'x'))));
    }
    batch.push_back({item + 1, world.clock.wall(),
                     store::StepFinished{.path = path, .attempt = 1, .sealed_output = std::move(output)}});
    if (batch.size() < 1'000 && item + 1 < count) continue;
    must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::exchange(batch, {})));
  }
}

}  // namespace sallyport::test
