#include "agent/smb/line_guard.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace sallyport::smb;

namespace {

constexpr int kNegotiate = 0, kLogin = 1, kTree = 3, kCreate = 5, kWrite = 9, kIoctl = 11, kEcho = 13;

std::string with_length(const std::string& message) {
  std::string text{'\0'};
  for (const int shift : {16, 8, 0}) text += static_cast<char>(message.size() >> shift);
  return text + message;
}

// [MS-SMB2] 2.2.1
std::string unsigned_message(int command, std::size_t size = 100) {
  std::string message = "\xFESMB" + std::string(8, '\0') + static_cast<char>(command);
  message.resize(size, '\0');
  return with_length(message);
}

std::string plain(int command, std::size_t size = 100) {
  auto message = unsigned_message(command, size);
  message.at(4 + 16) = '\x08';
  return message;
}

std::string encrypted(std::size_t size = 200) { return with_length("\xFDSMB" + std::string(size, 'x')); }

bool send(LineGuard& guard, const std::string& bytes, std::size_t taken = SIZE_MAX) {
  const auto piece = std::as_bytes(std::span(bytes));
  if (!guard.may_send({&piece, 1})) return false;
  guard.has_sent({&piece, 1}, std::min(taken, bytes.size()));
  return true;
}

LineGuard logged_in() {
  LineGuard guard;
  guard.require_encryption();
  for (const auto command : {kNegotiate, kLogin}) REQUIRE(send(guard, unsigned_message(command)));
  for (const auto command : {kTree, kIoctl}) REQUIRE(send(guard, plain(command)));
  return guard;
}

}  // namespace

TEST_CASE("nothing about a file leaves unless it is encrypted", "[smb][guard]") {
  auto guard = logged_in();
  CHECK_FALSE(guard.has_seen_all());
  for (const auto command : {kCreate, kWrite, 8, 14, 16, 17, 0x1234}) CHECK_FALSE(send(guard, plain(command)));
  CHECK(send(guard, encrypted()));
  CHECK(guard.has_seen_all());
  CHECK_FALSE(send(guard, plain(kTree)));  // and no way back
  CHECK_FALSE(send(guard, encrypted() + plain(kWrite)));
  CHECK(send(guard, encrypted() + encrypted()));
}

TEST_CASE("what follows the login is signed, unless it is encrypted", "[smb][guard]") {
  LineGuard guard;
  for (const auto command : {kNegotiate, kLogin}) REQUIRE(send(guard, unsigned_message(command)));
  CHECK_FALSE(guard.has_seen_all());
  for (const auto command : {kTree, kIoctl, kCreate, kWrite, 8, 14, 16, 17, 0x1234}) {
    INFO(command);
    CHECK_FALSE(send(guard, unsigned_message(command)));
    CHECK(send(guard, plain(command)));
  }
  CHECK(guard.has_seen_all());
  CHECK(send(guard, encrypted()));
}

TEST_CASE("nothing rides on a message that may be in plain", "[smb][guard]") {
  for (const auto command : {kNegotiate, kLogin, kTree}) {
    LineGuard guard;
    auto message = plain(command);
    message.at(4 + 20) = '\x40';  // where the next one begins
    CHECK_FALSE(send(guard, message));
  }
}

TEST_CASE("a question whether the server lives says nothing, and may be plain", "[smb][guard]") {
  auto guard = logged_in();
  REQUIRE(send(guard, encrypted()));
  CHECK(send(guard, unsigned_message(kEcho, 68)));
  CHECK_FALSE(send(guard, plain(kEcho, 69)));
}

TEST_CASE("a message that is sent in parts is one message, wherever it is cut", "[smb][guard]") {
  const auto message = encrypted();
  for (std::size_t cut = 1; cut < message.size(); ++cut) {
    INFO("cut after byte " << cut);
    auto guard = logged_in();
    REQUIRE(send(guard, message, cut));
    REQUIRE(send(guard, message.substr(cut)));
    CHECK_FALSE(send(guard, plain(kWrite)));
    CHECK(send(guard, message));
  }
}

TEST_CASE("what is no message does not leave", "[smb][guard]") {
  LineGuard guard;  // also where signing is enough
  for (const auto& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n......."), with_length("\xFFSMB" + std::string(40, '\0')),
        std::string("\0\0\0", 3), plain(kNegotiate).substr(0, 27)})
    CHECK_FALSE(send(guard, bytes));
  CHECK(send(guard, plain(kNegotiate)));
}

TEST_CASE("after the login began there is no other connection", "[smb][guard]") {
  LineGuard guard;
  CHECK(guard.may_connect());
  REQUIRE(send(guard, plain(kNegotiate)));
  CHECK(guard.may_connect());
  REQUIRE(send(guard, plain(kLogin)));
  CHECK_FALSE(guard.may_connect());
}
