#include "relay/http/body_reader.h"

#include "relay/http/gate.h"

#include <catch2/catch.hpp>

using namespace sallyport::http;

namespace {

struct Outcome {
  std::string body;
  std::string problem;
  std::size_t left = 0;
  bool done = false;
};

RequestHead head_of(const std::string& wire) {
  const auto end = find_head_end(wire, {});
  REQUIRE(end);
  REQUIRE(*end);
  auto head = check_head(std::string_view(wire).substr(0, **end), {});
  REQUIRE(head);
  return *std::move(head);
}

// Offers `wire` in two pieces cut at `cut`, as a connection would: what was not used is offered again.
Outcome read(const std::string& wire, std::size_t cut, BodyLimits limits = {}) {
  const auto head = head_of(wire);
  BodyReader reader(head, limits);
  std::string pending;
  for (auto piece : {std::string_view(wire).substr(0, cut), std::string_view(wire).substr(cut)}) {
    pending += piece;
    while (!reader.done()) {
      const auto used = reader.feed(pending);
      if (!used) return {.problem = used.error().code};
      pending.erase(0, *used);
      if (*used == 0) break;
    }
  }
  if (!reader.done()) return {.left = pending.size()};
  return {.body = reader.take(), .left = pending.size(), .done = true};
}

Outcome read(const std::string& wire, BodyLimits limits = {}) { return read(wire, wire.size(), limits); }

const std::string kPost = "POST /v1/jobs HTTP/1.1\r\nHost: a\r\n";
std::string chunked(std::string_view chunks) {
  return kPost + "Transfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

}  // namespace

TEST_CASE("a body is the same wherever it is cut", "[http][body]") {
  const std::string wires[] = {kPost + "Content-Length: 11\r\n\r\nhello world",
                               chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
                               chunked("00b\r\nhello world\r\n0\r\n\r\n")};
  for (const auto& wire : wires) {
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      INFO("cut after byte " << cut);
      const auto outcome = read(wire, cut);
      CHECK(outcome.done);
      CHECK(outcome.body == "hello world");
      CHECK(outcome.left == 0);
    }
  }
}

TEST_CASE("what follows a request stays for the next one", "[http][body]") {
  const auto outcome = read(kPost + "Content-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n");
  CHECK(outcome.body == "hi");
  CHECK(outcome.left == 16);
  CHECK(read("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET").left == 3);
}

TEST_CASE("an incomplete body is not done", "[http][body]") {
  CHECK_FALSE(read(kPost + "Content-Length: 5\r\n\r\nhell").done);
  CHECK_FALSE(read(chunked("5\r\nhello\r\n")).done);
}

TEST_CASE("chunks that other parsers may read differently are refused", "[http][body]") {
  const char* bad[] = {"5;x=y\r\nhello\r\n0\r\n\r\n",     "5\r\nhello\r\n0;x\r\n\r\n",
                       "5\r\nhello\r\n0\r\nX: y\r\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n",
                       "5\r\nhelloX\r\n0\r\n\r\n",        "-5\r\nhello\r\n0\r\n\r\n",
                       "+5\r\nhello\r\n0\r\n\r\n",        "0x5\r\nhello\r\n0\r\n\r\n",
                       "5 \r\nhello\r\n0\r\n\r\n",        " 5\r\nhello\r\n0\r\n\r\n",
                       "\r\n5\r\nhello\r\n0\r\n\r\n",     "g\r\nhello\r\n0\r\n\r\n",
                       "fffffffffffffffff\r\nx",          "5\nhello\n0\n\n\r\n"};
  for (const auto* chunks : bad) {
    INFO(chunks);
    CHECK(read(chunked(chunks)).problem == "framing");
  }
}

TEST_CASE("a body over the limit is refused before it is taken", "[http][body]") {
  const BodyLimits small{.body = 10};
  CHECK(read(kPost + "Content-Length: 10\r\n\r\n0123456789", small).done);
  CHECK(read(kPost + "Content-Length: 11\r\n\r\n", small).problem == "too_large");
  CHECK(read(chunked("a\r\n0123456789\r\n0\r\n\r\n"), small).done);
  CHECK(read(chunked("b\r\n"), small).problem == "too_large");
  CHECK(read(chunked("5\r\n01234\r\n6\r\n"), small).problem == "too_large");
}

TEST_CASE("an endless chunk header is refused", "[http][body]") {
  const BodyLimits small{.header = 200};
  CHECK(read(chunked("5;" + std::string(400, 'x')), small).problem == "framing");
  CHECK(read(chunked(std::string(400, '0')), small).problem == "framing");
}

TEST_CASE("two readings that disagree are refused", "[http][body]") {
  const std::string wire = kPost + "Content-Length: 2\r\n\r\nhi";
  const auto tampered = [&](auto change) {
    auto head = head_of(wire);
    change(head);
    BodyReader reader(head, {});
    const auto used = reader.feed(wire);
    return used ? std::string("accepted") : used.error().code;
  };
  CHECK(tampered([](RequestHead&) {}) == "accepted");
  CHECK(tampered([](RequestHead& head) { head.method = Method::put; }) == "framing");
  CHECK(tampered([](RequestHead& head) { head.target = "/v1/other"; }) == "framing");
  CHECK(tampered([](RequestHead& head) { head.content_length = 3; }) == "framing");
  CHECK(tampered([](RequestHead& head) { head.content_length.reset(); }) == "framing");
  CHECK(tampered([](RequestHead& head) { head.chunked = true; }) == "framing");
  CHECK(tampered([](RequestHead& head) { head.headers.add("X", "y"); }) == "framing");
}
