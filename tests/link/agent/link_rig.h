#pragma once

#include "agent/link/supervisor.h"
#include "shared/async/event.h"
#include "shared/async/timeout.h"
#include "tests/link/agent/test_relay.h"
#include "tests/support/async_test.h"

namespace sallyport::test {

struct MemoryLog final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
  bool has(std::string_view text) const {
    return std::ranges::any_of(lines, [&](const auto& line) { return line.find(text) != std::string::npos; });
  }
};

class MemoryIdentities final : public agent::IdentityStore {
 public:
  Result<agent::Identity> load() const override { return agent::parse_identity(text_); }
  Result<void> install(const agent::Identity& identity) override {
    SP_CHECK(agent::check_identity(identity));
    text_ = agent::format_identity(identity).reveal();
    ++installed;
    return {};
  }
  int installed = 0;

 private:
  std::string text_;
};

struct EchoWork final : agent::LinkWork {
  explicit EchoWork(boost::asio::any_io_executor executor) : never(executor) {}
  std::string policy_summary_json() override { return summary; }
  boost::asio::awaitable<void> on_jobs(link::Session& session) override {
    ++links;
    auto channel = session.open_channel("jobs/1");
    if (!channel) co_return;
    const auto sent = co_await channel->send_message("holding nothing");
    if (sent) co_await never.wait();
  }
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_go_away(link::Session&, const std::string&, std::chrono::milliseconds) override {}
  void on_state(const agent::LinkStatus&) override {}
  Event never;
  int links = 0;
  std::string summary = "{}";
};

// A whole agent's link against the test relay, over real TLS. `proxy` as in the configuration.
struct LinkRig {
  LinkRig(boost::asio::any_io_executor executor, std::string proxy = "none");
  void start() { tasks.spawn("supervisor", supervisor.run()); }
  boost::asio::awaitable<bool> until(std::function<bool()> holds);
  boost::asio::awaitable<bool> until_ready();
  boost::asio::awaitable<void> finish();

  MovableClock clock;
  Pki pki{clock};
  MemoryLog lines;
  Log log{lines, clock, LogLevel::debug};
  TestRelay relay;
  agent::Dialer dialer;
  MemoryIdentities identities;
  agent::TlsTransport transport{dialer, identities, clock};
  agent::Renewer renewer;
  EchoWork work;
  TaskGroup tasks;
  agent::Supervisor supervisor;
};

}  // namespace sallyport::test
