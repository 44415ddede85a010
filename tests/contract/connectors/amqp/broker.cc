#include "tests/contract/connectors/amqp/broker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sys/stat.h>

#include <csignal>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

constexpr int kQueues = 40;

constexpr std::string_view kPolicy = R"(actions: ["amqp.*"]
limits: {bytes: 1GiB}
connections:
  mq:
    amqp:
      publish:
        - {exchange: ""}
        - {exchange: orders, keys: ["new.*"]}
        - {exchange: absent}
      consume: ["test-*", gone]
)";

std::string queue(const std::string& name, const std::string& arguments = "") {
  return fmt::format(R"({{"name":"{}","vhost":"/","durable":true,"auto_delete":false,"arguments":{{{}}}}})", name,
                     arguments);
}

std::string user(const std::string& name, const std::string& password) {
  return fmt::format(R"({{"name":"{}","password":"{}","tags":""}})", name, password);
}

std::string permission(const std::string& name) {
  return fmt::format(R"({{"user":"{}","vhost":"/","configure":".*","write":".*","read":"^(?!test-forbidden).*"}})",
                     name);
}

std::string definitions(const std::string& certificate_name) {
  std::vector<std::string> queues{
      queue("full", R"("x-max-length":1,"x-overflow":"reject-publish")"), queue("dead"),
      queue("test-bad", R"("x-dead-letter-exchange":"","x-dead-letter-routing-key":"dead")"), queue("test-forbidden")};
  for (int i = 1; i <= kQueues; ++i) queues.push_back(queue(fmt::format("test-{}", i)));
  return fmt::format(
      R"({{"vhosts":[{{"name":"/"}}],"users":[{},{}],"permissions":[{},{}],"queues":[{}],)"
      R"("exchanges":[{{"name":"orders","vhost":"/","type":"topic","durable":true,"auto_delete":false,"internal":false,"arguments":{{}}}}],)"
      R"("bindings":[{{"source":"orders","vhost":"/","destination":"test-1","destination_type":"queue","routing_key":"new.#","arguments":{{}}}}]}})",
      user("agent", "br0ker-s3cret"), user(certificate_name, "unused"), permission("agent"),
      permission(certificate_name), fmt::join(queues, ","));
}

std::string private_file(const TempDir& files, const char* name, std::string_view content) {
  auto file = files.write(name, content);
  ::chmod(file.c_str(), 0600);
  return file;
}

}  // namespace

Broker& Broker::get() {
  static const SystemClock clock;
  static Broker broker(clock);
  return broker;
}

Broker::Broker(const Clock& clock) : pki(clock) {
  ca = files.write("ca.pem", pki.root.certificate.pem());
  other_ca = files.write("other.pem", must(crypto::make_root("Other root", clock)).certificate.pem());
  password = private_file(files, "password", "br0ker-s3cret");
  wrong_password = private_file(files, "wrong", "wr0ng-s3cret");
  const auto client = pki.agent();
  client_certificate = files.write("client.pem", client.chain[0].pem() + client.chain[1].pem());
  client_key = private_file(files, "client.key", client.key.to_pem().reveal());
  const auto certificate = files.write("server.pem", pki.server.certificate.pem() + pki.root.certificate.pem());
  const auto key = files.write("server.key", pki.server.key.to_pem().reveal());
  rabbit = std::make_unique<RabbitMq>(RabbitMq::Files{certificate, key, ca}, definitions(to_string(client.id)));
}

// The first is bound to the exchange "orders".
std::string Broker::fresh_queue() {
  if (queues_ == kQueues) throw std::runtime_error("more queues are needed");
  return fmt::format("test-{}", ++queues_ + 1);
}

Messenger::Messenger(const std::string& settings) {
  auto& broker = Broker::get();
  const auto usual = fmt::format("host: 127.0.0.1, port: {}, security: none, user: agent, password_file: \"{}\"",
                                 broker.rabbit->port(), broker.password);
  agent = std::make_unique<ConnectorSite>(
      fmt::format("connections:\n  mq: {{kind: amqp, {}}}\n", settings.empty() ? usual : settings),
      std::string(kPolicy));
  action = std::move(connectors::amqp::make_actions(agent->site()).front());
}

connectors::StepResult<Value> Messenger::publish(ValueMap arguments) {
  if (!arguments.contains("json") && !arguments.contains("body")) arguments.emplace(Value("text"), Value("hello"));
  return agent->run(*action, std::move(arguments), "mq");
}

std::string Messenger::classes(ValueMap arguments) {
  const auto output = publish(std::move(arguments));
  return output ? "none" : fmt::format("{}", fmt::join(output.error().classes, ","));
}

Consumed::Consumed(asio::any_io_executor executor, std::string queue, const std::string& settings)
    : messenger(settings),
      executor_(executor),
      queue_(std::move(queue)),
      trigger_(messenger.agent->site()),
      changed_(executor) {}

void Consumed::start(ValueMap more) {
  more.emplace(Value("queue"), Value(queue_));
  tasks_ = std::make_unique<TaskGroup>(executor_, [](auto&, auto) { FAIL("no task throws"); });
  tasks_->spawn("consume", consume(std::move(more)));
}

asio::awaitable<void> Consumed::consume(ValueMap arguments) {
  const auto bound = recipe::bind_arguments(*recipe::find_trigger("amqp.consume@1"), Value(std::move(arguments)));
  if (!bound) FAIL(bound.error().front().message);
  auto sink = [this](connectors::TriggerEvent event) { return take(std::move(event)); };
  auto trouble = [this](auto, std::string message) -> asio::awaitable<void> {
    troubles.push_back(std::move(message));
    changed_.set();
    co_return;
  };
  ended = co_await trigger_.run({"recipe", "mq", *bound, {}}, sink, trouble);
  changed_.set();
}

asio::awaitable<connectors::StepResult<void>> Consumed::take(connectors::TriggerEvent event) {
  ++offered;
  changed_.set();
  if (!failure.empty()) co_return connectors::step_fail(failure, "no room");
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

}  // namespace sallyport::test
