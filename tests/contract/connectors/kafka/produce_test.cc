// kafka.produce@1 on librdkafka's own cluster.
#include "tests/contract/connectors/kafka/cluster.h"
#include "tests/support/free_port.h"
#include "tests/support/pki.h"
#include "tests/support/server_process.h"
#include "tests/support/told_certificate.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Cluster;
using test::Sender;

namespace {

constexpr std::int16_t kProduce = 0;  // the request's number in Kafka's protocol

}  // namespace

TEST_CASE("a record is in the topic when the step has succeeded", "[kafka]") {
  Cluster cluster;
  cluster.topic("orders", 4);
  Sender sender(test::clear_text(cluster.address()));
  const auto sent = sender.produce(args({{"key", "k"}, {"text", "one"}, {"headers", Value(args({{"h", "v"}}))}}));
  REQUIRE(sent);
  CHECK(sent->find("offset")->as_int() == 0);
  CHECK(sent->find("bytes")->as_int() == 3);
  CHECK(cluster.get("orders", "%k|%s|%h ") == "k|one|h=v ");
  const auto again = sender.produce(args({{"key", "k"}, {"json", Value(args({{"id", 1}}))}}));
  CHECK(again->find("partition")->as_int() == sent->find("partition")->as_int());
  CHECK(again->find("offset")->as_int() == 1);
  const auto handle = sender.agent->bodies.put(std::string(900'000, 'x'));
  CHECK(sender.produce(args({{"partition", 3}, {"body", Value(handle)}}))->find("partition")->as_int() == 3);
  CHECK(cluster.get("orders", "%S ").contains("900000"));
}

TEST_CASE("what the cluster cannot take is an error of its class", "[kafka][errors]") {
  Cluster cluster;
  cluster.topic("orders");
  Sender sender(test::clear_text(cluster.address()));
  const auto large = sender.agent->bodies.put(std::string((1u << 20) + 1, 'x'));
  CHECK(sender.classes(args({{"body", Value(large)}})) == "too_large");
  CHECK(sender.classes(args({{"partition", 7}})) == "not_found");
  CHECK(sender.classes(args({{"headers", Value(args({{"h", 1}}))}})) == "invalid");
  CHECK(sender.classes({}) == "none");
  cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  CHECK(sender.classes({}) == "permission");
  CHECK(sender.classes({}) == "none");
  cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});  // sent again by the library
  CHECK(sender.classes({}) == "none");
}

TEST_CASE("the policy names the topics", "[kafka][policy]") {
  Sender sender(test::clear_text("127.0.0.1:1"));
  const auto refused = sender.produce(args({{"topic", "secret"}}));
  CHECK(refused.error().error_class() == "policy");
  CHECK(refused.error().rule == "policy.yaml:5 connections.events.kafka.produce");
}

TEST_CASE("a cluster that cannot be reached is an error without its address", "[kafka][errors]") {
  Sender nobody(fmt::format("brokers: [\"127.0.0.1:{}\"], security: none, connect_timeout: 1s", test::free_port()));
  const auto failed = nobody.produce({});
  CHECK(failed.error().error_class() == "connection");
  CHECK_FALSE(failed.error().message.contains("127.0.0.1"));
  CHECK(nobody.agent->logged().contains("127.0.0.1"));
}

TEST_CASE("a record that was sent and not answered is in doubt; one that was not sent is not", "[kafka][doubt]") {
  Cluster cluster;
  cluster.topic("orders");
  Sender sender(test::clear_text(cluster.address()));
  REQUIRE(sender.classes({}) == "none");
  const bool by_stop = GENERATE(true, false);
  const auto in_trouble = [&] {
    std::jthread stopper;
    if (by_stop) {
      stopper = std::jthread([&] {
        std::this_thread::sleep_for(300ms);
        sender.agent->stop.request_stop();
      });
    } else {
      sender.agent->patience = 300ms;
    }
    const auto output = sender.produce(args({{"text", "c4n4ry"}, {"key", "c4n4ry"}}));
    const auto classes = output ? "none" : output.error().classes.back();
    if (!output) CHECK_FALSE((output.error().message + sender.agent->logged()).contains("c4n4ry"));
    if (by_stop) stopper.join();
    sender.agent->stop = std::stop_source();
    sender.agent->patience = 30s;
    return classes;
  };
  cluster.slow(5s);
  CHECK(in_trouble() == "in_doubt");
  cluster.slow(0s);
  REQUIRE(sender.classes({}) == "none");
  cluster.down();
  CHECK(in_trouble() == (by_stop ? "cancelled" : "timeout"));
  cluster.up();
  CHECK(sender.classes({}) == "none");
}

TEST_CASE("two steps produce at once", "[kafka]") {
  Cluster cluster;
  cluster.topic("orders");
  Sender sender(test::clear_text(cluster.address()));
  const auto many = [&] {
    for (int i = 0; i < 20; ++i) {
      if (!sender.produce({})) return false;
    }
    return true;
  };
  bool other = false;
  std::jthread second([&] { other = many(); });
  CHECK(many());
  second.join();
  CHECK(other);
}

TEST_CASE("a connection with a cluster is tested step by step", "[kafka][findings]") {
  const auto found = [](const std::string& settings) {
    Sender sender(settings);
    const auto site = sender.agent->site();
    std::string text;
    for (const auto& finding :
         connectors::kafka::make_kafka_test(site)->run(site.connections.at("events"), sender.agent->deadline()))
      text += (text.empty() ? "" : " ") + finding.check + ":" + std::string(to_string(finding.verdict));
    return text;
  };
  Cluster cluster;
  CHECK(found(test::clear_text(cluster.address())) == "dns:good tcp:good login:good");
  CHECK(found(fmt::format("brokers: [\"{}\"], connect_timeout: 1s", cluster.address())) ==
        "dns:good tcp:good tls:bad");  // no TLS there
}

TEST_CASE("a broker whose certificate is not good for it gets no word", "[kafka][tls]") {
  const SystemClock clock;
  const test::Pki pki(clock);
  const test::TempDir files;
  const auto ca = files.write("ca.pem", pki.root.certificate.pem());
  const auto other_ca = files.write("other.pem", test::must(crypto::make_root("Other root", clock)).certificate.pem());
  const auto certificate = files.write("server.pem", pki.server.certificate.pem() + pki.root.certificate.pem());
  const auto key = files.write("server.key", pki.server.key.to_pem().reveal());
  const auto port = test::free_port();
  test::RunningServer server({"openssl", "s_server", "-accept", fmt::format("127.0.0.1:{}", port), "-cert", certificate,
                              "-key", key, "-naccept", "100", "-quiet"},
                             files.path("server.log"));
  server.wait_until([&] { return test::takes_connections(port); });
  const auto found = [&](const std::string& trusted) {
    Sender sender(fmt::format("brokers: [\"127.0.0.1:{}\"], ca_file: \"{}\", connect_timeout: 1s", port, trusted));
    const auto site = sender.agent->site();
    return connectors::kafka::make_kafka_test(site)->run(site.connections.at("events"), sender.agent->deadline());
  };
  test::check_told(found(other_ca), certificate);
  const auto logged = [&](const std::string& host, const std::string& trusted) {
    Sender sender(fmt::format("brokers: [\"{}:{}\"], ca_file: \"{}\", connect_timeout: 1s", host, port, trusted));
    CHECK(sender.classes({}) == "connection");
    return sender.agent->logged();
  };
  CHECK(logged("127.0.0.1", other_ca).contains("certificate verify failed"));
  CHECK(logged("localhost", ca).contains("certificate verify failed"));  // it is for another name
  CHECK_FALSE(logged("127.0.0.1", ca).contains("certificate verify failed"));
}
