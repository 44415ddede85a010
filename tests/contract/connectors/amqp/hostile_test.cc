// Brokers that are none, or mean harm.
#include "tests/contract/connectors/amqp/broker.h"

#include <fmt/format.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Broker;
using test::Messenger;
using namespace std::string_literals;

namespace {

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string frame(int type, int channel, const std::string& payload) {
  return number(static_cast<std::uint64_t>(type), 1) + number(static_cast<std::uint64_t>(channel), 2) +
         number(payload.size(), 4) + payload + "\xce";
}

std::string method(int channel, int class_id, int id, const std::string& fields) {
  return frame(1, channel,
               number(static_cast<std::uint64_t>(class_id), 2) + number(static_cast<std::uint64_t>(id), 2) + fields);
}

std::string start(const std::string& mechanisms = "PLAIN") {
  return method(0, 10, 10,
                "\0\x09"s + number(0, 4) + number(mechanisms.size(), 4) + mechanisms + number(5, 4) + "en_US");
}

// A table of one list in another, as many as fit into so many bytes.
std::string nested(std::size_t bytes) {
  std::string lists;
  for (std::size_t rest = bytes - bytes % 5; rest > 0; rest -= 5) lists += "A" + number(rest - 5, 4);
  return number(2 + lists.size(), 4) + "\x01x" + lists;
}

const std::string kTune = method(0, 10, 30, number(1, 2) + number(131072, 4) + number(0, 2));
const std::string kOpenOk = method(0, 10, 41, "\0"s);
const std::string kChannelOk = method(1, 20, 11, number(0, 4));
const std::string kConfirmOk = method(1, 85, 11, "");
const std::string kLogin = start() + kTune + kOpenOk + kChannelOk + kConfirmOk;

// Says `words` to whoever connects, `often` the last of them again and again, then closes or stays.
class FakeBroker {
 public:
  enum class Then { closes, stays, repeats };
  FakeBroker(std::string words, Then then, std::string last = "") {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 5) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, words = std::move(words), then, last = std::move(last)](const std::stop_token& over) {
      while (!over.stop_requested()) serve(words, then, last, over);
    });
  }
  ~FakeBroker() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }

 private:
  void serve(const std::string& words, Then then, const std::string& last, const std::stop_token& over) const {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) return;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    (void)::send(client, words.data(), words.size(), MSG_NOSIGNAL);
    while (then != Then::closes && !over.stop_requested()) {
      if (then == Then::repeats && ::send(client, last.data(), last.size(), MSG_NOSIGNAL) < 0) break;
      std::array<char, 4096> ignored{};
      pollfd readable{client, POLLIN, 0};
      if (::poll(&readable, 1, 1) > 0 && ::recv(client, ignored.data(), ignored.size(), 0) <= 0) break;
    }
    ::close(client);
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

std::string settings(std::uint16_t port) {
  return fmt::format("host: 127.0.0.1, port: {}, security: none, user: agent, password_file: \"{}\"", port,
                     Broker::get().password);
}

std::string classes(const FakeBroker& broker) {
  Messenger messenger(settings(broker.port()));
  messenger.agent->patience = 300ms;
  return messenger.classes(args({{"routing_key", "x"}}));
}

}  // namespace

TEST_CASE("a broker that is none, or breaks the protocol, is an error of the connection", "[amqp][hostile]") {
  using Then = FakeBroker::Then;
  const std::string table = "\x0bpublisher_x"s;
  for (const auto& words :
       {"HTTP/1.1 400 Bad Request\r\n\r\n"s, "AMQP\0\0\x09\x01"s, number(1, 1) + number(0, 2) + number(0xfffffffe, 4),
        number(1, 1) + number(0, 2) + number(1u << 20, 4), frame(1, 0, "\0\x0a"s), frame(1, 0, number(0xffffffff, 4)),
        frame(9, 0, "xx"), method(0, 10, 10, "\0\x09"s + number(0x7fffffff, 4)),
        method(0, 10, 10, "\0\x09"s + number(table.size(), 4) + table),
        start() + kTune + method(0, 10, 50, number(320, 2) + "\0"s + number(0, 4)), start() + start(),
        kLogin.substr(0, kLogin.size() - 5), std::string(20'000, 'x'), ""s}) {
    INFO(words.size() << " bytes: " << hex(as_bytes(words)).substr(0, 80));
    CHECK(classes({words, Then::closes}) == "connection");
    CHECK(classes({words, Then::stays}) == "connection");  // in time
  }
  const auto beat = frame(8, 0, "");
  CHECK(classes({start(), Then::repeats, beat + beat + beat}) == "connection");  // heartbeats for ever
  CHECK(classes({start("SCRAM"), Then::stays}) == "permission");
  CHECK(classes({method(0, 10, 10, "\0\x09"s + nested(60'000)), Then::stays}) == "connection");
}

TEST_CASE("what a broker says instead of a confirm", "[amqp][hostile][doubt]") {
  using Then = FakeBroker::Then;
  const auto ack = method(1, 60, 80, number(1, 8) + "\0"s);
  const auto nack = method(1, 60, 120, number(1, 8) + "\0"s);
  const auto back = method(1, 60, 50, number(312, 2) + "\0\0\0"s);
  const auto head = frame(2, 1, number(60, 2) + number(0, 2) + number(5, 8) + number(0, 2));
  const auto closed = method(1, 20, 40,
                             number(404, 2) +
                                 "\x06"
                                 "c4n4ry" +
                                 number(0, 4));
  const auto forced = method(0, 10, 50,
                             number(320, 2) +
                                 "\x06"
                                 "c4n4ry" +
                                 number(0, 4));
  const auto after = [](const std::string& words, Then then = Then::stays) {
    return classes({kLogin + words, then, words});
  };
  CHECK(after(ack) == "none");
  CHECK(after(nack) == "constraint");
  CHECK(after(back + head + frame(3, 1, "hello") + ack) == "not_found");
  CHECK(after(closed) == "not_found");
  CHECK(after(forced) == "in_doubt");
  CHECK(after("") == "in_doubt");
  const auto deep = frame(2, 1, number(60, 2) + number(0, 2) + number(0, 8) + number(0x2000, 2) + nested(32'700));
  CHECK(after(back + deep + ack) == "not_found");
  const auto deeper = frame(2, 1, number(60, 2) + number(0, 2) + number(0, 8) + number(0x2000, 2) + nested(130'000));
  CHECK(after(back + deeper + ack) == "in_doubt");
  CHECK(after(back, Then::repeats) == "in_doubt");  // for ever
  CHECK(after("rubbish!") == "in_doubt");
  CHECK(after(method(1, 60, 80, number(0, 8) + "\0"s)) == "in_doubt");  // of another message
  FakeBroker rude(kLogin + closed, Then::stays);
  Messenger messenger(settings(rude.port()));
  CHECK_FALSE(messenger.publish(args({{"routing_key", "x"}})).error().message.contains("c4n4ry"));
}
