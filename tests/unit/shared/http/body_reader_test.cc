#include "shared/http/body_reader.h"

#include "shared/http/gate.h"
#include "shared/http/second_reading.h"

#include <catch2/catch.hpp>

using namespace sallyport::http;

namespace {

struct Outcome {
  std::string body;
  std::string problem;
  std::size_t left = 0;
  bool done = false;
};

std::size_t head_size(const std::string& wire) {
  const auto end = find_head_end(wire, {});
  REQUIRE(end);
  REQUIRE(*end);
  return **end;
}

RequestHead head_of(const std::string& wire) {
  auto head = check_head(std::string_view(wire).substr(0, head_size(wire)), {});
  REQUIRE(head);
  return *std::move(head);
}

// Offers the bytes behind the header in two pieces cut at `cut`, as a connection would.
Outcome read(const std::string& wire, std::size_t cut, std::size_t limit = 1000) {
  const auto head = head_of(wire);
  const auto rest = std::string_view(wire).substr(head_size(wire));
  BodyReader reader(head, limit);
  std::size_t total = 0;
  for (auto piece : {rest.substr(0, cut), rest.substr(cut)}) {
    if (reader.done()) break;
    const auto used = reader.feed(piece);
    if (!used) return {.problem = used.error().code};
    total += *used;
  }
  if (!reader.done()) return {.left = rest.size() - total};
  return {.body = reader.take(), .left = rest.size() - total, .done = true};
}

Outcome read(const std::string& wire) { return read(wire, 0); }

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
    for (std::size_t cut = 0; cut <= wire.size() - head_size(wire); ++cut) {
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
    CHECK(read(chunked(chunks)).problem == "chunk");
  }
}

TEST_CASE("a body over the limit is refused before it is taken", "[http][body]") {
  const auto within_ten = [](const std::string& wire) { return read(wire, 0, 10); };
  CHECK(within_ten(kPost + "Content-Length: 10\r\n\r\n0123456789").done);
  CHECK(within_ten(kPost + "Content-Length: 11\r\n\r\n").problem == "too_large");
  CHECK(within_ten(chunked("a\r\n0123456789\r\n0\r\n\r\n")).done);
  CHECK(within_ten(chunked("b\r\n")).problem == "too_large");
  CHECK(within_ten(chunked("5\r\n01234\r\n6\r\n")).problem == "too_large");
  CHECK(within_ten(chunked("ffffffff\r\n")).problem == "too_large");
}

TEST_CASE("an endless chunk header is refused", "[http][body]") {
  CHECK(read(chunked(std::string(9, '0'))).problem == "chunk");
  CHECK(read(chunked("123456789")).problem == "chunk");
  CHECK(read(chunked("0000000a\r\n0123456789\r\n00000000\r\n\r\n")).done);
}

TEST_CASE("an empty chunked body", "[http][body]") {
  const auto outcome = read(chunked("0\r\n\r\n"));
  CHECK(outcome.done);
  CHECK(outcome.body.empty());
  CHECK_FALSE(read(chunked("0\r\n")).done);
}

TEST_CASE("two readings that disagree are refused", "[http][body]") {
  const std::string wire = kPost + "Content-Length: 2\r\n\r\n";
  const auto agrees = [&](auto change) {
    auto head = head_of(wire);
    change(head);
    return second_reading_agrees(head, wire);
  };
  CHECK(agrees([](RequestHead&) {}));
  CHECK_FALSE(agrees([](RequestHead& head) { head.method = Method::put; }));
  CHECK_FALSE(agrees([](RequestHead& head) { head.target = "/v1/other"; }));
  CHECK_FALSE(agrees([](RequestHead& head) { head.content_length = 3; }));
  CHECK_FALSE(agrees([](RequestHead& head) { head.content_length.reset(); }));
  CHECK_FALSE(agrees([](RequestHead& head) { head.chunked = true; }));
  CHECK_FALSE(agrees([](RequestHead& head) { head.headers.add("X", "y"); }));
  const auto chunks = chunked("");
  CHECK(second_reading_agrees(head_of(chunks), chunks));
}
