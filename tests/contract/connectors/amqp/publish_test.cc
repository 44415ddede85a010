// amqp.publish@1 on a real broker.
#include "tests/contract/connectors/amqp/broker.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Broker;
using test::Messenger;

namespace {

std::string to_broker(std::uint16_t port, const std::string& more) {
  return fmt::format("host: 127.0.0.1, port: {}, {}", port, more);
}

}  // namespace

TEST_CASE("a message is with the queue when the step has succeeded", "[amqp]") {
  auto& rabbit = *Broker::get().rabbit;
  Messenger messenger;
  const auto queue = Broker::get().fresh_queue();
  const auto sent = messenger.publish(args({{"routing_key", queue}, {"text", "one"}}));
  REQUIRE(sent);
  CHECK(sent->find("bytes")->as_int() == 3);
  CHECK(rabbit.get(queue) == "one");
  CHECK(messenger.publish(args({{"routing_key", queue}}))->find("message_id") != nullptr);
  CHECK(messenger.publish(args({{"routing_key", queue}}))->find("message_id")->as_string() ==
        sent->find("message_id")->as_string());  // the same step run
  messenger.agent->idempotency_key = "another";
  CHECK(messenger.publish(args({{"routing_key", queue}}))->find("message_id")->as_string() !=
        sent->find("message_id")->as_string());
  CHECK(messenger.classes(args({{"exchange", "orders"}, {"routing_key", "new.book"}, {"json", Value(ValueList{1})}})) ==
        "none");
  CHECK(rabbit.get("test-1") == "[1]");
  const auto handle = messenger.agent->bodies.put(std::string(300'000, 'x'));  // more than a frame
  CHECK(messenger.classes(args({{"routing_key", queue + "0"}, {"body", Value(handle)}})) == "not_found");
  const auto other = Broker::get().fresh_queue();
  CHECK(messenger.classes(args({{"routing_key", other}, {"body", Value(handle)}})) == "none");
  CHECK(rabbit.get(other) == std::string(300'000, 'x'));
  CHECK(messenger.classes(args({{"routing_key", other}, {"text", ""}})) == "none");
}

TEST_CASE("what the broker cannot take is an error, and the next message goes through", "[amqp][errors]") {
  Messenger messenger;
  const auto queue = Broker::get().fresh_queue();
  const auto good = [&] { return messenger.classes(args({{"routing_key", queue}})); };
  CHECK(messenger.classes(args({{"routing_key", "nowhere"}})) == "not_found");
  CHECK(good() == "none");
  CHECK(messenger.classes(args({{"routing_key", "nowhere"}, {"mandatory", false}})) == "none");
  CHECK(messenger.classes(args({{"exchange", "absent"}})) == "not_found");
  CHECK(good() == "none");
  CHECK(messenger.classes(args({{"routing_key", "full"}})) == "none");
  CHECK(messenger.classes(args({{"routing_key", "full"}})) == "constraint");
  CHECK(good() == "none");
  CHECK(messenger.classes(args({{"routing_key", std::string(256, 'x')}})) == "invalid");
  CHECK(messenger.classes(args({{"routing_key", queue}, {"headers", Value(args({{"h", Value(ValueList())}}))}})) ==
        "invalid");
  CHECK(messenger.classes(
            args({{"routing_key", queue}, {"headers", Value(args({{"h", std::string(200'000, 'x')}}))}})) == "invalid");
  CHECK(good() == "none");
  const auto handle = messenger.agent->bodies.put(std::string((1u << 20) + 1, 'x'));
  CHECK(messenger.classes(args({{"routing_key", queue}, {"body", Value(handle)}})) == "too_large");
  CHECK(messenger.classes(args({{"routing_key", queue}, {"text", std::string((1u << 20) + 1, 'x')}})) == "too_large");
}

TEST_CASE("the policy names exchanges and routing keys", "[amqp][policy]") {
  Messenger messenger;
  CHECK(messenger.classes(args({{"exchange", "orders"}, {"routing_key", "old.book"}})) == "policy");
  CHECK(messenger.classes(args({{"exchange", "amq.topic"}, {"routing_key", "new.book"}})) == "policy");
  const auto refused = messenger.publish(args({{"exchange", "orders"}, {"routing_key", "c4n4ry"}}));
  CHECK(refused.error().rule == "policy.yaml:6 connections.mq.amqp.publish");
  CHECK_FALSE(refused.error().message.contains("c4n4ry"));
}

TEST_CASE("a broker is reached over TLS, with a certificate that is good for it, and a login", "[amqp][tls]") {
  auto& broker = Broker::get();
  const auto queue = broker.fresh_queue();
  const auto login = ", user: agent, password_file: \"" + broker.password + "\"";
  const auto classes = [&](const std::string& settings) {
    Messenger messenger(to_broker(broker.rabbit->tls_port(), settings));
    auto given = messenger.publish(args({{"routing_key", queue}, {"text", "c4n4ry"}}));
    const auto text = messenger.agent->logged() + (given ? "" : given.error().message);
    CHECK_FALSE(text.contains("s3cret"));
    CHECK_FALSE(text.contains("c4n4ry"));
    if (!given) CHECK_FALSE(given.error().message.contains("127.0.0.1"));
    return given ? "none" : given.error().classes.back();
  };
  CHECK(classes("ca_file: \"" + broker.ca + "\"" + login) == "none");
  CHECK(classes("ca_file: \"" + broker.other_ca + "\"" + login) == "connection");
  CHECK(classes("ca_file: \"" + broker.ca + "\", user: agent, password_file: \"" + broker.wrong_password + "\"") ==
        "permission");
  CHECK(classes("ca_file: \"" + broker.ca + "\", client_certificate_file: \"" + broker.client_certificate +
                "\", client_key_file: \"" + broker.client_key + "\"") == "none");  // EXTERNAL
  CHECK(classes("ca_file: \"" + broker.ca + "\", vhost: absent" + login) == "permission");
  Messenger elsewhere(fmt::format("host: localhost, port: {}, ca_file: \"{}\"{}", broker.rabbit->tls_port(), broker.ca,
                                  login));  // the certificate is for another name
  CHECK(elsewhere.classes(args({{"routing_key", queue}})) == "connection");
  Messenger clear(to_broker(broker.rabbit->port(), "ca_file: \"" + broker.ca + "\"" + login));
  CHECK(clear.classes(args({{"routing_key", queue}})) == "connection");  // no TLS there: nothing is sent in the clear
}

TEST_CASE("a confirm that does not come leaves the step in doubt", "[amqp][doubt]") {
  auto& rabbit = *Broker::get().rabbit;
  Messenger messenger;
  const auto queue = Broker::get().fresh_queue();
  const bool by_stop = GENERATE(true, false);
  REQUIRE(messenger.classes(args({{"routing_key", queue}})) == "none");  // connected
  rabbit.pause();
  std::jthread stopper;
  if (by_stop) {
    stopper = std::jthread([&] {
      std::this_thread::sleep_for(200ms);
      messenger.agent->stop.request_stop();
    });
  } else {
    messenger.agent->patience = 200ms;
  }
  CHECK(messenger.classes(args({{"routing_key", queue}})) == "in_doubt");
  messenger.agent->stop = std::stop_source();
  messenger.agent->patience = 200ms;
  CHECK(messenger.classes(args({{"routing_key", queue}})) == "connection");  // a new session: nothing was sent
  rabbit.resume();
  messenger.agent->patience = 30s;
  CHECK(messenger.classes(args({{"routing_key", queue}})) == "none");
}

TEST_CASE("two steps publish at once", "[amqp]") {
  Messenger messenger;
  const auto queue = Broker::get().fresh_queue();
  const auto many = [&] {
    for (int i = 0; i < 50; ++i) {
      if (!messenger.publish(args({{"routing_key", queue}}))) return false;
    }
    return true;
  };
  bool other = false;
  std::jthread second([&] { other = many(); });
  CHECK(many());
  second.join();
  CHECK(other);
}

TEST_CASE("a connection with a broker is tested step by step", "[amqp][findings]") {
  auto& broker = Broker::get();
  const auto found = [&](const std::string& settings) {
    Messenger messenger(settings);
    const auto site = messenger.agent->site();
    std::string text;
    const auto findings =
        connectors::amqp::make_amqp_test(site)->run(site.connections.at("mq"), messenger.agent->deadline());
    if (settings.contains("ca_file")) test::check_told(findings, broker.files.path("server.pem"));
    for (const auto& finding : findings) {
      text += (text.empty() ? "" : " ") + finding.check + ":" + std::string(to_string(finding.verdict));
      CHECK_FALSE(finding.text.contains("s3cret"));
    }
    return text;
  };
  const auto tls = [&](const std::string& ca, const std::string& password) {
    return to_broker(broker.rabbit->tls_port(),
                     fmt::format("ca_file: \"{}\", user: agent, password_file: \"{}\"", ca, password));
  };
  CHECK(found("") == "dns:good tcp:good login:good");
  CHECK(found(tls(broker.ca, broker.password)) == "dns:good tcp:good tls:good login:good");
  CHECK(found(tls(broker.other_ca, broker.password)) == "dns:good tcp:good tls:bad");
  CHECK(found(tls(broker.ca, broker.wrong_password)) == "dns:good tcp:good tls:good login:bad");
}
