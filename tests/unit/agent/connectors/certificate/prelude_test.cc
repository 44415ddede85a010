#include "agent/connectors/certificate/prelude.h"

#include "shared/base/text.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace sallyport;
using namespace sallyport::connectors::certificate;

namespace {

// MariaDB's greeting, with what it can in its two octets.
std::string greeting(std::string_view can) {
  std::string said =
      "\x0a"
      "10.11.6-MariaDB";
  said += '\0';
  said += std::string("\x05\x00\x00\x00", 4) + "saltsalt" + '\0' + std::string(can);
  said += std::string("\x2d\x02\x00", 3) + std::string(20, 'x');
  const auto size = static_cast<char>(said.size());
  return std::string(1, size) + std::string(3, '\0') + said;
}

struct Talk {
  Before before;
  std::vector<std::string> server;  // each after what the client said
  std::vector<std::string> client;
};

std::string_view const kTls("\xff\xff", 2), kNoTls("\xff\xf7", 2);

const Talk& postgres() {
  static const Talk kTalk{Before::postgres, {"S"}, {std::string("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8)}};
  return kTalk;
}
const Talk& mysql() {
  static const Talk kTalk{
      Before::mysql,
      {greeting(kTls)},
      {"", std::string("\x20\x00\x00\x01\x00\x8a\x00\x00\x00\x00\x00\x01\x2d", 13) + std::string(23, '\0')}};
  return kTalk;
}
const Talk& ldap() {
  static const Talk kTalk{Before::ldap,
                          {std::string("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14)},
                          {"\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                           "1.3.6.1.4.1.1466.20037"}};
  return kTalk;
}
const Talk& smtp() {
  static const Talk kTalk{Before::smtp,
                          {"220-mail\r\n220 ready\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go\r\n"},
                          {"", "EHLO sallyport-agent\r\n", "STARTTLS\r\n"}};
  return kTalk;
}
const Talk& ftp() {
  static const Talk kTalk{Before::ftp, {"220-hello\r\n to you\r\n220 ready\r\n", "234 go\r\n"}, {"", "AUTH TLS\r\n"}};
  return kTalk;
}
const Talk& proxy() {
  static const Talk kTalk{
      Before::http_proxy, {"HTTP/1.1 200 Connection established\r\nVia: squid\r\n\r\n"}, {"CONNECT h:443 ..."}};
  return kTalk;
}

Prelude begin(const Talk& talk) { return {talk.before, Secret::take(std::string("CONNECT h:443 ..."))}; }

// What becomes of an answer that is all there at once.
Result<bool> answered(Before before, std::string_view answer) {
  Prelude prelude(before);
  return prelude.feed(as_bytes(answer));
}

}  // namespace

TEST_CASE("what is said before TLS survives being cut at every byte", "[certificate]") {
  const auto& talk = GENERATE_COPY(postgres(), mysql(), ldap(), smtp(), ftp(), proxy());
  for (std::size_t piece = 1; piece < 80; ++piece) {
    INFO("protocol " << static_cast<int>(talk.before) << ", pieces of " << piece);
    auto prelude = begin(talk);
    std::vector<std::string> said{std::string(prelude.take_output().reveal())};
    bool done = false;
    for (const auto& answer : talk.server) {
      for (std::size_t at = 0; at < answer.size(); at += piece) {
        REQUIRE_FALSE(done);
        const auto fed = prelude.feed(as_bytes(std::string_view(answer).substr(at, piece)));
        INFO((fed ? "" : fed.error().message));
        REQUIRE(fed);
        done = *fed;
      }
      if (const auto words = prelude.take_output(); !words.empty()) said.emplace_back(words.reveal());
    }
    CHECK(done);
    CHECK(prelude.is_done());
    CHECK(said == talk.client);
  }
}

TEST_CASE("a server without TLS is told from one that speaks something else", "[certificate]") {
  const auto code = [](Before before, std::string_view answer) {
    const auto fed = answered(before, answer);
    REQUIRE_FALSE(fed);
    return fed.error().code;
  };
  CHECK(code(Before::postgres, "N") == Errc::unavailable);
  CHECK(code(Before::postgres, "HTTP/1.1 400") == Errc::invalid);
  CHECK(code(Before::mysql, greeting(kNoTls)) == Errc::unavailable);
  CHECK(code(Before::mysql, std::string("\x05\x00\x00\x00\xff\x6a\x04no", 9)) == Errc::unavailable);
  CHECK(code(Before::mysql, "220 ftp\r\n") == Errc::invalid);
  CHECK(code(Before::mysql, std::string("\x03\x00\x00\x00\x0a\x31\x00", 7)) == Errc::invalid);
  CHECK(code(Before::ldap, std::string("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", 14)) ==
        Errc::unavailable);
  CHECK(code(Before::ldap, std::string("\x30\x02\x02\x01", 4)) == Errc::invalid);
  CHECK(code(Before::ldap, "220 smtp\r\n") == Errc::invalid);
  CHECK(code(Before::smtp, "554 go away\r\n") == Errc::unavailable);
  CHECK(code(Before::smtp, "SSH-2.0-OpenSSH\r\n") == Errc::invalid);
  CHECK(code(Before::http_proxy, "HTTP/1.1 407 no\r\n\r\n") == Errc::unavailable);
  CHECK(code(Before::http_proxy, "220 smtp\r\n\r\n") == Errc::invalid);
}

TEST_CASE("words that came before TLS are not taken for words inside of it", "[certificate]") {
  CHECK_FALSE(answered(Before::postgres, "Sx"));
  Prelude ftp(Before::ftp);
  REQUIRE(ftp.feed(as_bytes("220 a\r\n")));
  CHECK_FALSE(ftp.feed(as_bytes("234 b\r\n230 you are in\r\n")));
}

TEST_CASE("an answer without an end is given up", "[certificate]") {
  Prelude smtp(Before::smtp);
  Result<bool> fed = false;
  std::size_t bytes = 0;
  for (; fed && bytes < 2 * kMostPrelude; bytes += 10) fed = smtp.feed(as_bytes("220-again\n"));
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code == Errc::too_large);
  CHECK(bytes <= kMostPrelude + 10);
}

TEST_CASE("where TLS comes first nothing is said", "[certificate]") {
  Prelude none(Before::nothing);
  CHECK(none.is_done());
  CHECK(none.take_output().empty());
}
