// What agent and helper say to each other, as bytes.
#include "agent/connectors/smb/wire/codec.h"

#include "tests/support/freed_text.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <string>

using namespace sallyport;
using namespace sallyport::connectors::smb::wire;

namespace {

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

template <class Message>
std::vector<std::byte> encoded(const Message& message) {
  std::vector<std::byte> bytes;
  REQUIRE(encode(message, bytes));
  REQUIRE(*decode_length(std::span(bytes).first<kLengthSize>()) == bytes.size() - kLengthSize);
  bytes.erase(bytes.begin(), bytes.begin() + kLengthSize);
  return bytes;
}

}  // namespace

TEST_CASE("requests survive the wire", "[smb][wire]") {
  Open open{.host = "h", .port = 4450, .share = "s", .domain = "d", .user = "u", .encrypts = 0, .patience_ms = 5};
  open.password = Secret::take(std::string("pässword"));
  auto bytes = encoded(Request(std::move(open)));
  const auto back = decode_request(bytes);
  REQUIRE(back);
  const auto& opened = std::get<Open>(*back);
  CHECK(opened.host + opened.share + opened.domain + opened.user == "hsdu");
  CHECK(opened.password.reveal() == "pässword");
  CHECK(opened.port == 4450);
  CHECK(opened.encrypts == 0);
  CHECK(opened.patience_ms == 5);
  const std::string content = "content";
  bytes = encoded(Request(Write{7, bytes_of(content)}));
  const auto written = decode_request(bytes);
  REQUIRE(written);
  CHECK(std::get<Write>(*written).at == 7);
  CHECK(std::get<Write>(*written).bytes.size() == content.size());
}

TEST_CASE("no memory that is given back holds the password", "[smb][wire]") {
  const std::string password = "a password that is longer than a small string";
  for (std::size_t size = 0; size < 300; ++size) {  // wherever in a growing buffer the password comes
    const test::FreedText freed(password);
    Open open{.host = "host", .share = "share", .user = std::string(size, 'u'), .password = {}};
    open.password = Secret::take(std::string(password));
    const Request request(std::move(open));
    std::vector<std::byte> bytes;
    CHECK(encode(request, bytes));
    wipe(bytes.data(), bytes.size());
    bytes = {};
    CHECK_FALSE(freed.was_seen());
  }
  const test::FreedText freed(password);  // positive control
  std::string(password).shrink_to_fit();
  CHECK(freed.was_seen());
}

TEST_CASE("answers survive the wire, and no part of one is an answer", "[smb][wire]") {
  const auto bytes = encoded(Answer(Entry{"name", {Kind::directory, 5, ~std::uint64_t{0}}}));
  const auto back = decode_answer(bytes);
  REQUIRE(back);
  CHECK(std::get<Entry>(*back).name == "name");
  CHECK(std::get<Entry>(*back).facts.kind == Kind::directory);
  CHECK(std::get<Entry>(*back).facts.mtime_ns == ~std::uint64_t{0});
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    INFO("cut after byte " << cut);
    CHECK_FALSE(decode_answer(std::span(bytes).first(cut)));
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_FALSE(decode_answer(longer));
}

TEST_CASE("limits of messages", "[smb][wire]") {
  std::vector<std::byte> bytes;
  CHECK_FALSE(encode(Request(Look{std::string(kMostText + 1, 'a')}), bytes));
  const std::string large(kMostPiece + 1, 'a');
  CHECK_FALSE(encode(Answer(Piece{bytes_of(large)}), bytes));
  CHECK(encode(Answer(Piece{bytes_of(large).first(kMostPiece)}), bytes));
  for (const std::uint32_t length : {0U, static_cast<std::uint32_t>(kMostMessage + 1), ~0U}) {
    std::array<std::byte, kLengthSize> head{};
    std::memcpy(head.data(), &length, sizeof length);
    CHECK_FALSE(decode_length(head));
  }
}
