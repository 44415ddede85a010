#include "agent/connectors/certificate/prelude.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace sallyport::connectors::certificate {
namespace {

using namespace std::string_view_literals;

constexpr auto kPostgresRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"sv;
constexpr auto kLdapRequest =
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
    "1.3.6.1.4.1.1466.20037"sv;
// Length and number of the packet; protocol 4.1, TLS and secure logins; packets of at most 16 MiB; utf8mb4.
constexpr auto kMysqlRequest =
    "\x20\x00\x00\x01"
    "\x00\x8a\x00\x00"
    "\x00\x00\x00\x01"
    "\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"sv;
static_assert(kLdapRequest.size() == 31 && kMysqlRequest.size() == 36);
constexpr unsigned kMysqlTls = 0x0800;  // CLIENT_SSL

// What a server has to answer, and what is said then.
struct Turn {
  std::string_view code;
  std::string_view then;
};
constexpr std::array kSmtp{Turn{"220", "EHLO sallyport-agent\r\n"}, Turn{"250", "STARTTLS\r\n"}, Turn{"220", ""}};
constexpr std::array kFtp{Turn{"220", "AUTH TLS\r\n"}, Turn{"234", ""}};

std::unexpected<Error> no_tls(const std::string& why) { return fail(Errc::unavailable, "it offers no TLS: " + why); }
std::unexpected<Error> not_spoken(std::string_view what) {
  return fail(Errc::invalid, fmt::format("what answers there does not speak {}", what));
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

unsigned octet(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// The code of a whole reply, of one line or several, which is taken away; none yet.
Result<std::optional<std::string>> take_reply(std::string& input) {
  for (std::size_t from = 0;;) {
    const auto end = input.find('\n', from);
    if (end == std::string::npos) return std::nullopt;
    const auto line = std::string_view(input).substr(from, end - from);
    const bool numbered = line.size() >= 3 && std::ranges::all_of(line.substr(0, 3), is_digit);
    if (from == 0 && !numbered) return not_spoken("a protocol with replies by number");
    const bool last = numbered && (line.size() == 3 || line[3] == ' ' || line[3] == '\r');
    if (last) {
      auto code = std::string(line.substr(0, 3));
      input.erase(0, end + 1);
      return code;
    }
    from = end + 1;
  }
}

Secret first_words(Before before, Secret request) {
  switch (before) {
    case Before::postgres: return Secret::take(std::string(kPostgresRequest));
    case Before::ldap: return Secret::take(std::string(kLdapRequest));
    case Before::http_proxy: return request;
    default: return {};
  }
}

}  // namespace

Prelude::Prelude(Before before, Secret request)
    : before_(before), output_(first_words(before, std::move(request))), done_(before == Before::nothing) {}

Secret Prelude::take_output() { return std::exchange(output_, Secret()); }

Result<bool> Prelude::feed(std::span<const std::byte> bytes) {
  if (input_.size() + bytes.size() > kMostPrelude) return fail(Errc::too_large, "an endless answer before TLS");
  input_ += as_text(bytes);
  SP_TRY(done_, read());
  // Whoever stands in between could have put them there.
  if (done_ && !input_.empty()) return fail(Errc::invalid, "the server says more than it was asked before TLS begins");
  return done_;
}

Result<bool> Prelude::read() {
  switch (before_) {
    case Before::nothing: return true;
    case Before::postgres: return postgres();
    case Before::mysql: return mysql();
    case Before::ldap: return ldap();
    case Before::smtp:
    case Before::ftp: return replies();
    case Before::http_proxy: return http();
  }
  return false;
}

Result<bool> Prelude::postgres() {
  if (input_.empty()) return false;
  const char answer = input_.front();
  if (answer == 'N') return no_tls("the database answers no");
  if (answer != 'S') return not_spoken("PostgreSQL's protocol");
  input_.erase(0, 1);
  return true;
}

// The greeting: version 10, a text, four octets of the connection, eight of a challenge, a filler, what it can.
Result<bool> Prelude::mysql() {
  if (input_.size() < 5) return false;
  const std::size_t size = octet(input_, 0) | octet(input_, 1) << 8 | octet(input_, 2) << 16;
  if (octet(input_, 4) == 0xff) return no_tls("the database refuses the connection");
  if (size > kMostPrelude || octet(input_, 4) != 10) return not_spoken("MySQL's protocol");
  if (input_.size() < 4 + size) return false;
  const auto version_end = input_.find('\0', 5);
  const auto flags = version_end + 14;
  if (version_end == std::string::npos || flags + 2 > 4 + size) return not_spoken("MySQL's protocol");
  const unsigned can = octet(input_, flags) | octet(input_, flags + 1) << 8;
  if ((can & kMysqlTls) == 0) return no_tls("the database says that it cannot");
  input_.erase(0, 4 + size);
  output_ = Secret::take(std::string(kMysqlRequest));
  return true;
}

// An ExtendedResponse to message 1, in BER: 30 length, 02 01 01, 78 length, 0a 01 result, ...
Result<bool> Prelude::ldap() {
  if (input_.size() < 2) return false;
  if (octet(input_, 0) != 0x30) return not_spoken("LDAP");
  const auto lengths = octet(input_, 1) < 0x80 ? 0 : octet(input_, 1) - 0x80;
  if (lengths > 2 || octet(input_, 1) == 0x80) return not_spoken("LDAP");
  if (input_.size() < 2 + lengths) return false;
  std::size_t size = lengths == 0 ? octet(input_, 1) : 0;
  for (std::size_t i = 0; i < lengths; ++i) size = size << 8 | octet(input_, 2 + i);
  if (input_.size() < 2 + lengths + size) return false;
  const auto message = std::string_view(input_).substr(2 + lengths, size);
  if (!message.starts_with("\x02\x01\x01\x78") || message.size() < 5) return not_spoken("LDAP");
  const std::size_t at = 5 + (octet(message, 4) < 0x80 ? 0 : octet(message, 4) - 0x80);
  if (at + 3 > message.size() || message.substr(at, 2) != "\x0a\x01") return not_spoken("LDAP");
  if (const auto code = octet(message, at + 2); code != 0)
    return no_tls(fmt::format("the directory answers StartTLS with {}", code));
  input_.erase(0, 2 + lengths + size);
  return true;
}

Result<bool> Prelude::replies() {
  const auto turns = before_ == Before::smtp ? std::span<const Turn>(kSmtp) : std::span<const Turn>(kFtp);
  SP_TRY(const auto code, take_reply(input_));
  if (!code) return false;
  const auto& turn = turns[step_];
  if (*code != turn.code) return no_tls(fmt::format("the server answers with {}", *code));
  output_ = Secret::take(std::string(turn.then));
  return ++step_ == turns.size();
}

Result<bool> Prelude::http() {
  const auto end = input_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const auto head = std::string_view(input_).substr(0, end);
  if (!head.starts_with("HTTP/1.") || head.size() < 12 || !std::ranges::all_of(head.substr(9, 3), is_digit))
    return not_spoken("HTTP");
  if (head[9] != '2')
    return fail(Errc::unavailable, fmt::format("the proxy answers CONNECT with {}", head.substr(9, 3)));
  input_.erase(0, end + 4);
  return true;
}

}  // namespace sallyport::connectors::certificate
