#include "relay/cli/upgrade_answer.h"

#include "relay/cli/open_tunnel.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::cli;

namespace {

constexpr std::string_view kProtocol = "sallyport-tunnel/1";

std::string answer(std::string_view status, std::string_view fields, std::string_view rest = "") {
  return fmt::format("HTTP/1.1 {}\r\n{}\r\n{}", status, fields, rest);
}
std::string change(std::string_view more = "") {
  return answer("101 Switching Protocols",
                fmt::format("X-Request-Id: r1\r\nConnection: Upgrade\r\nUpgrade: {}\r\n{}", kProtocol, more));
}

}  // namespace

TEST_CASE("the answer to an upgrade, wherever it is cut", "[cli][upgrade]") {
  const auto refused = answer("403 Forbidden", "Content-Length: 5\r\nX-Request-Id: r2\r\n", "{\"a\"}");
  for (std::size_t cut = 0; cut < refused.size(); ++cut) {
    INFO("cut after byte " << cut);
    const auto part = read_upgrade_answer(std::string_view(refused).substr(0, cut), kProtocol);
    REQUIRE(part);
    CHECK_FALSE(*part);
  }
  const auto whole = read_upgrade_answer(refused + "more", kProtocol);
  REQUIRE(whole);
  REQUIRE(*whole);
  CHECK((*whole)->status == 403);
  CHECK((*whole)->body == "{\"a\"}");
  CHECK((*whole)->request_id == "r2");
  CHECK((*whole)->used == refused.size());

  const auto changed = read_upgrade_answer(change() + "frames", kProtocol);
  REQUIRE(changed);
  REQUIRE(*changed);
  CHECK((*changed)->status == 101);
  CHECK((*changed)->used == change().size());
  CHECK((*changed)->body.empty());
}

TEST_CASE("what is no answer to an upgrade is refused", "[cli][upgrade]") {
  struct Row {
    std::string what;
    std::string bytes;
    Errc code;
  };
  for (const auto& row : {
           Row{"another version", "HTTP/1.0 101 A\r\n\r\n", Errc::invalid},
           Row{"no status", "HTTP/1.1 1x1 A\r\n\r\n", Errc::invalid},
           Row{"no reason's blank", "HTTP/1.1 101\r\n\r\n", Errc::invalid},
           Row{"SSH", "SSH-2.0-OpenSSH_9\r\n\r\n", Errc::invalid},
           Row{"a page", answer("200 OK", "Content-Length: 0\r\n"), Errc::invalid},
           Row{"an interim answer", answer("100 Continue", ""), Errc::invalid},
           Row{"a change without words", answer("101 A", ""), Errc::invalid},
           Row{"a change to something else", answer("101 A", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
               Errc::invalid},
           Row{"a change that is not of the connection",
               answer("101 A", fmt::format("Connection: keep-alive\r\nUpgrade: {}\r\n", kProtocol)), Errc::invalid},
           Row{"a change with a body", change("Content-Length: 0\r\n"), Errc::invalid},
           Row{"a change in chunks", change("Transfer-Encoding: chunked\r\n"), Errc::invalid},
           Row{"two changes", change(fmt::format("Upgrade: {}\r\n", kProtocol)), Errc::invalid},
           Row{"two lengths", answer("403 A", "Content-Length: 1\r\nContent-Length: 1\r\n", "a"), Errc::invalid},
           Row{"no length", answer("403 A", ""), Errc::invalid},
           Row{"a length with a sign", answer("403 A", "Content-Length: +1\r\n", "a"), Errc::invalid},
           Row{"chunks", answer("403 A", "Transfer-Encoding: chunked\r\n"), Errc::invalid},
           Row{"a huge body", answer("403 A", "Content-Length: 1000000\r\n"), Errc::too_large},
           Row{"a body beyond any number", answer("403 A", "Content-Length: 99999999999999999999\r\n"), Errc::invalid},
           Row{"a bare line feed", "HTTP/1.1 403 A\nContent-Length: 0\r\n\r\n", Errc::invalid},
           Row{"a bare carriage return", "HTTP/1.1 403 A\rb\r\n\r\n", Errc::invalid},
           Row{"a folded line", answer("403 A", "Content-Length: 0\r\n folded: 1\r\n"), Errc::invalid},
           Row{"a field without a name", answer("403 A", ": x\r\n"), Errc::invalid},
           Row{"no colon", answer("403 A", "name\r\n"), Errc::invalid},
           Row{"a NUL", answer("403 A", std::string("A: b\0\r\n", 7)), Errc::invalid},
           Row{"an endless head", "HTTP/1.1 403 A\r\nA: " + std::string(17'000, 'a'), Errc::too_large},
           Row{"no end of the status line", std::string(17'000, 'H'), Errc::too_large},
       }) {
    INFO(row.what);
    const auto read = read_upgrade_answer(row.bytes, kProtocol);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == row.code);
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += fmt::format("A{}: b\r\n", i);
  CHECK_FALSE(read_upgrade_answer(answer("403 A", many), kProtocol));
}

TEST_CASE("where a tunnel is opened on this machine", "[cli][tunnels]") {
  struct Row {
    std::string_view text;
    std::string_view address;
    int port;
  };
  for (const auto& row :
       {Row{"5432", "127.0.0.1", 5432}, Row{"0", "127.0.0.1", 0}, Row{"127.0.0.2:80", "127.0.0.2", 80},
        Row{"[::1]:0", "::1", 0}, Row{"0.0.0.0:22", "0.0.0.0", 22}}) {
    INFO(row.text);
    const auto local = parse_local_port(row.text);
    REQUIRE(local);
    CHECK(local->address.to_string() == row.address);
    CHECK(local->port == row.port);
    CHECK(local->exactly);
  }
  for (const auto* text : {"", ":", "localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "1x",
                           "[::1]", "127.0.0.1:80:80", ":80"}) {
    INFO(text);
    CHECK_FALSE(parse_local_port(text));
  }
}
