// http.listen@1 on the runner, with its journal on the disk.
#include "tests/contract/connectors/listen/listening.h"
#include "tests/support/async_test.h"
#include "tests/support/free_port.h"
#include "tests/support/server_process.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace sallyport::runner {
using namespace test;
using sallyport::test::signature_of;

namespace {

struct Agent {
  explicit Agent(asio::any_io_executor loop, EngineOptions options = {}) : executor(loop), bench(loop, options) {
    const auto secret = files.write("secret", sallyport::test::kSecret);
    ::chmod(secret.c_str(), 0600);
    site = std::make_unique<sallyport::test::ConnectorSite>(
        fmt::format("connections: {{hooks: {{kind: http-listen, port: {}, security: none, senders: [{{path: /a, proof: "
                    "signature, secret_file: \"{}\"}}]}}}}",
                    port, secret),
        "actions: [http.listen@1]\nconnections: {hooks: {listen: [{path: /a}]}}");
    trigger = connectors::listen::make_listen_trigger(site->site());
    bench.more_triggers = {trigger.get()};
  }
  asio::awaitable<std::string> send(std::string body) {
    return sallyport::test::raw(
        executor, port,
        fmt::format("POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\nX-Hub-Signature-256: "
                    "{}\r\n\r\n{}",
                    body.size(), signature_of(body), body));
  }
  asio::awaitable<void> listens() {
    co_await until([this] { return sallyport::test::takes_connections(port); }, "it listens");
  }

  asio::any_io_executor executor;
  sallyport::test::TempDir files;
  std::uint16_t port = sallyport::test::free_port();
  std::unique_ptr<sallyport::test::ConnectorSite> site;
  std::unique_ptr<connectors::TriggerSource> trigger;  // outlives the engine
  EngineBench bench;
};

std::string recipe() {
  return canonical(kOne, "trigger: {uses: http.listen@1, connection: hooks, with: {path: /a}}\n");
}
std::string event_of(const std::string& answer) { return answer.substr(answer.find("evt_"), 36); }

}  // namespace

ASYNC_TEST_CASE("a delivery that comes again starts no second job, also after a restart", "[listen][engine]") {
  Agent agent(co_await asio::this_coro::executor);
  auto& bench = agent.bench;
  co_await bench.open();
  co_await bench.say(assignments(1, {recipe()}));
  co_await agent.listens();
  const auto first = co_await agent.send("one");
  CHECK(first.starts_with("HTTP/1.1 202 "));
  const auto again = co_await agent.send("one");
  CHECK(again.starts_with("HTTP/1.1 202 "));
  CHECK(event_of(again) == event_of(first));
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  CHECK(bench.list.begun() == 1);
  co_await bench.close();
  CHECK_FALSE(sallyport::test::takes_connections(agent.port));
  co_await bench.open();
  co_await agent.listens();
  const auto later = co_await agent.send("one");
  CHECK(event_of(later) == event_of(first));
  const auto other = co_await agent.send("two");
  CHECK(other.starts_with("HTTP/1.1 202 "));
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("without room for another job a request is put off, and nothing of it is kept", "[listen][engine]") {
  Agent agent(co_await asio::this_coro::executor, {.max_local_jobs = 1});
  auto& bench = agent.bench;
  bench.list.hold();
  co_await bench.open();
  co_await bench.say(assignments(1, {recipe()}));
  co_await agent.listens();
  const auto taken = co_await agent.send("one");
  CHECK(taken.starts_with("HTTP/1.1 202 "));
  const auto put_off = co_await agent.send("two");
  CHECK(put_off.starts_with("HTTP/1.1 503 "));
  CHECK(put_off.find("Retry-After: 10\r\n") != std::string::npos);
  bench.list.release();
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  const auto again = co_await agent.send("two");
  CHECK(again.starts_with("HTTP/1.1 202 "));
  co_await until([&] { return bench.list.begun() == 2; }, "the second job runs");
  co_await until([&] { return bench.engine->status().local_jobs == 0; }, "the job ends");
  co_await bench.close();
}

}  // namespace sallyport::runner
