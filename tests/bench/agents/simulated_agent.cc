#include "tests/bench/agents/simulated_agent.h"

#include "agent/link/enrol.h"
#include "shared/crypto/random.h"

#include <random>

namespace sallyport::bench {
namespace asio = boost::asio;
namespace {

constexpr std::string_view kSoftware = "sallyport-agent/" SALLYPORT_VERSION;
constexpr std::chrono::seconds kEnrolTime{60};

double random_fraction() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<>(0, 1)(generator);
}

link::SessionOptions session_options(const std::string& name, std::uint32_t links) {
  link::SessionOptions options;
  options.side = mux::Side::agent;
  options.self.software = kSoftware;
  options.self.hostname = name;
  options.self.capabilities = {"jobs", "renewal", "health"};
  if (links > 1) options.self.capabilities.emplace_back(link::kLinks);
  options.self.boot_id.resize(16);
  crypto::fill_random(options.self.boot_id);
  return options;
}

}  // namespace

Result<agent::Identity> MemoryIdentity::load() const {
  if (text_.empty()) return fail(Errc::not_found, "not enrolled");
  return agent::parse_identity(text_);
}

Result<void> MemoryIdentity::install(const agent::Identity& identity) {
  text_ = agent::format_identity(identity).reveal();
  return {};
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> CountingTransport::connect(agent::Endpoint relay,
                                                                                SteadyTime deadline) {
  auto stream = co_await inner_.connect(std::move(relay), deadline);
  if (stream || stream.error().message.starts_with("TLS with ")) ++handshakes_;
  co_return stream;
}

SimulatedAgent::SimulatedAgent(asio::any_io_executor executor, std::string name, const Clock& clock, const Log& log)
    : executor_(std::move(executor)),
      name_(std::move(name)),
      clock_(clock),
      log_(log),
      dialer_(executor_, "none", [](const std::string&) { return std::nullopt; }),
      transport_(dialer_, identity_, clock) {}

asio::awaitable<Result<void>> SimulatedAgent::enrol(std::string enrolment_string) {
  SP_CO_TRY(const auto enrolled, co_await agent::enrol(std::move(enrolment_string), {name_, std::string(kSoftware)},
                                                       dialer_, clock_, std::chrono::steady_clock::now() + kEnrolTime));
  co_return identity_.install(enrolled);
}

void SimulatedAgent::link(TaskGroup& tasks, std::uint32_t links) {
  if (supervisor_) return;
  const auto identity = identity_.load();
  if (!identity) return;
  supervisor_.emplace(
      executor_,
      agent::SupervisorOptions{.relay = identity->relay, .session = session_options(name_, links), .links = links},
      agent::Supervisor::Parts{counted_, *this, nullptr, clock_, log_}, random_fraction);
  tasks.spawn(name_, supervisor_->run());
}

}  // namespace sallyport::bench
