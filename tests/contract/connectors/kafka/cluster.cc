#include "tests/contract/connectors/kafka/cluster.h"

#include "tests/support/server_process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

constexpr std::int32_t kBroker = 1;
constexpr std::string_view kPolicy = R"(actions: ["kafka.*"]
connections:
  events:
    kafka:
      produce: [orders, absent]
      consume: [orders, absent]
      groups: [sallyport]
)";

}  // namespace

Result<void> Cluster::find_functions() {
  auto& functions = functions_;
  SP_TRY(const auto library, platform::SharedLibrary::load("librdkafka.so.1"));
  SALLYPORT_KAFKA_MOCK_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return connectors::kafka::load_librdkafka();
}

Cluster::Cluster() {
  if (const auto found = find_functions(); !found) throw std::runtime_error(found.error().message);
  const auto& lib = connectors::kafka::librdkafka();
  auto* const conf = lib.rd_kafka_conf_new();
  lib.rd_kafka_conf_set_log_cb(conf, nullptr);
  std::array<char, 256> why{};
  handle_ = lib.rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (handle_ == nullptr) throw std::runtime_error(why.data());
  cluster_ = functions_.rd_kafka_mock_cluster_new(handle_, 1);
}

Cluster::~Cluster() {
  functions_.rd_kafka_mock_cluster_destroy(cluster_);
  connectors::kafka::librdkafka().rd_kafka_destroy_flags(handle_, 0);
}

std::string Cluster::address() const { return functions_.rd_kafka_mock_cluster_bootstraps(cluster_); }

void Cluster::topic(const std::string& name, int partitions) {
  functions_.rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1);
}

void Cluster::down() { functions_.rd_kafka_mock_broker_set_down(cluster_, kBroker); }
void Cluster::up() { functions_.rd_kafka_mock_broker_set_up(cluster_, kBroker); }

void Cluster::slow(std::chrono::milliseconds answering) {
  functions_.rd_kafka_mock_broker_set_rtt(cluster_, kBroker, static_cast<int>(answering.count()));
}

void Cluster::answer(std::int16_t request, std::vector<rd_kafka_resp_err_t> errors) {
  functions_.rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
}

void Cluster::put(const std::string& topic, const std::string& text, const std::string& more) const {
  const auto file = dir_.write("record", text);
  (void)output_of(fmt::format("kcat -P -b {} -t {} {} {}", address(), topic, more, file));
}

std::string Cluster::get(const std::string& topic, const std::string& format) const {
  return output_of(fmt::format("kcat -C -b {} -t {} -o beginning -e -q -f '{}'", address(), topic, format));
}

std::int64_t Cluster::committed(std::int32_t partition) const {
  const auto& lib = connectors::kafka::librdkafka();
  auto* const conf = lib.rd_kafka_conf_new();
  std::array<char, 256> why{};
  lib.rd_kafka_conf_set_log_cb(conf, nullptr);
  lib.rd_kafka_conf_set(conf, "bootstrap.servers", address().c_str(), why.data(), why.size());
  lib.rd_kafka_conf_set(conf, "group.id", "sallyport", why.data(), why.size());
  auto* const reader = lib.rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  const connectors::kafka::PartitionsOwner places(lib.rd_kafka_topic_partition_list_new(1));
  auto* const place = lib.rd_kafka_topic_partition_list_add(places.get(), "orders", partition);
  const auto code = functions_.rd_kafka_committed(reader, places.get(), 10'000);
  const auto offset = place->offset;
  lib.rd_kafka_destroy_flags(reader, 0);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(lib.rd_kafka_err2str(code));
  return offset;
}

std::string clear_text(const std::string& address) {
  return fmt::format("brokers: [\"{}\"], security: none, connect_timeout: 5s", address);
}

Sender::Sender(const std::string& settings)
    : agent(std::make_unique<ConnectorSite>(fmt::format("connections:\n  events: {{kind: kafka, {}}}\n", settings),
                                            std::string(kPolicy))),
      action(std::move(connectors::kafka::make_actions(agent->site()).front())) {}

connectors::StepResult<Value> Sender::produce(ValueMap arguments) {
  arguments.emplace(Value("topic"), Value("orders"));
  if (!arguments.contains("json") && !arguments.contains("body")) arguments.emplace(Value("text"), Value("hello"));
  return agent->run(*action, std::move(arguments), "events");
}

std::string Sender::classes(ValueMap arguments) {
  const auto output = produce(std::move(arguments));
  return output ? "none" : fmt::format("{}", fmt::join(output.error().classes, ","));
}

Consumed::Consumed(asio::any_io_executor executor, const std::string& address)
    : sender(clear_text(address)), executor_(executor), trigger_(sender.agent->site()), changed_(executor) {}

void Consumed::start(ValueMap more) {
  more.emplace(Value("topic"), Value("orders"));
  more.emplace(Value("group"), Value("sallyport"));
  tasks_ = std::make_unique<TaskGroup>(executor_, [](auto&, auto) { FAIL("no task throws"); });
  tasks_->spawn("consume", consume(std::move(more)));
}

asio::awaitable<void> Consumed::consume(ValueMap arguments) {
  const auto bound = recipe::bind_arguments(*recipe::find_trigger("kafka.consume@1"), Value(std::move(arguments)));
  if (!bound) FAIL(bound.error().front().message);
  auto sink = [this](connectors::TriggerEvent event) { return take(std::move(event)); };
  auto trouble = [this](auto, std::string message) -> asio::awaitable<void> {
    troubles.push_back(std::move(message));
    changed_.set();
    co_return;
  };
  ended = co_await trigger_.run({"recipe", "events", *bound, {}}, sink, trouble);
  changed_.set();
}

asio::awaitable<connectors::StepResult<void>> Consumed::take(connectors::TriggerEvent event) {
  ++offered;
  changed_.set();
  const auto fails = failure ? failure(event) : std::string();
  if (!fails.empty()) co_return connectors::step_fail(fails, "no room");
  events.push_back(std::move(event));
  co_return connectors::StepResult<void>();
}

asio::awaitable<void> Consumed::until(std::function<bool()> done) {
  const auto deadline = std::chrono::steady_clock::now() + 40s;
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    changed_.clear();
    co_await changed_.wait_until(deadline);
  }
  if (!done()) FAIL((ended && !*ended ? ended->error().message : "it did not come to that"));
}

asio::awaitable<void> Consumed::stop() {
  tasks_->stop();
  co_await tasks_->join();
}

std::string Consumed::bodies() const {
  std::string all;
  for (const auto& event : events) all += event.data.find("body")->as_string() + " ";
  return all;
}

bool Consumed::told(std::string_view word) const {
  return std::ranges::any_of(troubles, [&](const auto& text) { return text.contains(word); });
}

}  // namespace sallyport::test
