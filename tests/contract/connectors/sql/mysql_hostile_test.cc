// Servers that want what is none of theirs: a file of the agent's machine, a password in clear, endless patience.
#include "agent/connectors/sql/sql_actions.h"
#include "agent/platform/fd.h"
#include "tests/contract/connectors/sql/databases.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace std::chrono_literals;
using test::args;

namespace {

constexpr const char* kPassword = "c4n4ry-password";

// One meeting with a client of MySQL's protocol: after the greeting, answers each of its packets by a script.
class HostileServer {
 public:
  enum class Tls { offered, none };
  // What to answer to the client's packet number `count` (from 1), as payloads; nothing to stay silent.
  using Script = std::function<std::vector<std::string>(int count)>;

  HostileServer(Tls tls, Script script) : tls_(tls), script_(std::move(script)) {
    listener_ = platform::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), any, size) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    ::getsockname(listener_.get(), any, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HostileServer() { (void)received(); }

  std::uint16_t port() const { return port_; }
  // All that the client has sent; ends the meeting.
  const std::string& received() {
    if (thread_.joinable()) {
      ::shutdown(listener_.get(), SHUT_RDWR);
      thread_.join();
    }
    return received_;
  }

 private:
  std::string greeting() const {
    const std::uint32_t wanted = 0x000ea28d | (tls_ == Tls::offered ? 0x800u : 0u);  // with LOCAL_FILES
    const auto byte = [&](int shift) { return static_cast<char>((wanted >> shift) & 0xff); };
    std::string text = "\n10.11.0-MariaDB";
    text += std::string(5, '\0') + "abcdefgh" + '\0' + byte(0) + byte(8) + '\x2d' + '\x02' + '\0' + byte(16) + byte(24);
    text += '\x15' + std::string(10, '\0') + "ijklmnopqrst" + '\0' + "mysql_native_password" + '\0';
    return text;
  }

  void send(const platform::Fd& client, const std::string& payload, unsigned char sequence) {
    std::string packet{static_cast<char>(payload.size() & 0xff), static_cast<char>(payload.size() >> 8), '\0',
                       static_cast<char>(sequence)};
    packet += payload;
    (void)!::send(client.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
  }

  bool read(const platform::Fd& client, std::string& into, std::size_t count) {
    into.resize(count);
    if (count > 0 && ::recv(client.get(), into.data(), count, MSG_WAITALL) != static_cast<ssize_t>(count)) return false;
    received_ += into;
    return true;
  }

  void serve() {
    const platform::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    send(client, greeting(), 0);
    std::string header, body;
    for (int count = 1; read(client, header, 4); ++count) {
      const auto length = static_cast<unsigned char>(header[0]) + 256u * static_cast<unsigned char>(header[1]);
      if (header[2] != '\0') {  // TLS begins
        while (read(client, body, 1)) {
        }
        return;
      }
      if (!read(client, body, length)) return;
      auto sequence = static_cast<unsigned char>(header[3]);
      for (const auto& payload : script_(count)) send(client, payload, ++sequence);
    }
  }

  Tls tls_;
  Script script_;
  platform::Fd listener_;
  std::uint16_t port_ = 0;
  std::string received_;
  std::thread thread_;
};

const std::string kOk("\0\0\0\2\0\0\0", 7);

struct Victim {
  test::TempDir dir;
  test::ConnectorSite agent;
  std::vector<std::unique_ptr<Action>> actions;

  Victim(std::uint16_t port, const std::string& more)
      : agent(fmt::format(
                  "connections: {{db: {{kind: sql, driver: mysql, host: 127.0.0.1, port: {}, user: u, database: d, "
                  "password_file: \"{}\"{}}}}}",
                  port, password_file(dir), more),
              "actions: [\"sql.*\"]\nconnections: {db: {sql: {verbs: [select]}}}"),
        actions(sql::make_actions(agent.site())) {}
  StepError error() {
    const auto output = agent.run(*actions.front(), args({{"statement", "select 1 as one"}}), "db");
    return output ? StepError{{"none"}, "none", {}} : output.error();
  }
  static std::string password_file(const test::TempDir& dir) {
    const auto file = dir.write("password", kPassword);
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return file;
  }
};

}  // namespace

TEST_CASE("a server that asks for a local file gets none", "[sql][mariadb][hostile]") {
  HostileServer server(HostileServer::Tls::none, [](int count) -> std::vector<std::string> {
    if (count == 1) return {kOk};
    return {"\xfb/proc/self/status"};
  });
  Victim victim(server.port(), "");
  CHECK(victim.error().classes.back() == "connection");
  victim.actions.clear();
  CHECK(server.received().contains("set names utf8mb4"));  // positive control: it had been let in
  CHECK_FALSE(server.received().contains("VmPeak"));
}

TEST_CASE("a server that asks for the password in clear does not get it", "[sql][mariadb][hostile]") {
  const char* plugin = GENERATE("mysql_clear_password", "dialog", "mysql_old_password", "sha256_password");
  INFO(plugin);
  HostileServer server(HostileServer::Tls::none, [&](int count) -> std::vector<std::string> {
    if (count == 1) return {"\xfe" + std::string(plugin) + '\0' + "abcdefghijklmnopqrst" + '\0'};
    return {kOk};
  });
  Victim victim(server.port(), "");
  const auto error = victim.error();
  INFO(victim.agent.logged());
  CHECK(error.classes.back() == "permission");
  victim.actions.clear();
  CHECK(server.received().size() > 20);
  CHECK_FALSE(server.received().contains(kPassword));
}

TEST_CASE("a server without TLS, where it is wanted, hears nothing of the login", "[sql][mariadb][hostile]") {
  HostileServer server(HostileServer::Tls::none, [](int) { return std::vector<std::string>{kOk}; });
  Victim victim(server.port(), ", sslmode: verify-full");
  CHECK(victim.error().classes.back() == "connection");
  CHECK(victim.agent.logged().contains("SSL"));
  victim.actions.clear();
  CHECK(server.received().empty());
}

TEST_CASE("a server that falls silent while it is logged in to ends the step", "[sql][mariadb][hostile]") {
  const auto tls = GENERATE(HostileServer::Tls::none, HostileServer::Tls::offered);
  HostileServer server(tls, [](int) { return std::vector<std::string>(); });
  const auto patience = std::chrono::seconds(1);
  Victim victim(server.port(), tls == HostileServer::Tls::offered ? ", sslmode: verify-full, connect_timeout: 1s"
                                                                  : ", connect_timeout: 1s");
  const auto begun = std::chrono::steady_clock::now();
  CHECK(victim.error().classes.back() == "connection");
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took > patience - 100ms);  // no sooner: servers are far away
  CHECK(took < 30s);
  victim.actions.clear();
  CHECK_FALSE(server.received().empty());
}

TEST_CASE("a stop ends the login to a silent server", "[sql][mariadb][hostile]") {
  HostileServer server(HostileServer::Tls::none, [](int) { return std::vector<std::string>(); });
  Victim victim(server.port(), ", connect_timeout: 5m");
  victim.agent.patience = 5min;
  std::thread later([&] {
    std::this_thread::sleep_for(200ms);
    victim.agent.stop.request_stop();
  });
  const auto begun = std::chrono::steady_clock::now();
  CHECK(victim.error().error_class() == "cancelled");
  CHECK(std::chrono::steady_clock::now() - begun < 60s);
  later.join();
}

TEST_CASE("nonsense for an answer ends the step", "[sql][mariadb][hostile]") {
  const std::string answer = GENERATE(std::string("\xff"), std::string("\xfe"), std::string("\x01\x02\x03"),
                                      std::string(300, '\xfc'), std::string("\0", 1));
  HostileServer server(HostileServer::Tls::none,
                       [&](int count) -> std::vector<std::string> { return {count < 4 ? kOk : answer}; });
  Victim victim(server.port(), "");
  victim.agent.patience = 500ms;
  CHECK(victim.error().error_class() != "none");
}
