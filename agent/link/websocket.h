#pragma once

#include "agent/link/dialer.h"
#include "shared/async/byte_stream.h"
#include "shared/crypto/x509.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::agent {

// Where the relay's web API is, and so the door for links that go through HTTPS.
struct WebAddress {
  Endpoint at;
  std::string path;  // "" or "/prefix", without a slash at the end
  friend bool operator==(const WebAddress&, const WebAddress&) = default;
};

// "https://host[:port][/path]"; the port's default is 443.
Result<WebAddress> parse_web_address(std::string_view url);
std::string to_string(const WebAddress& address);

// The request of RFC 6455 §4.1. It tells nothing about the agent.
std::string websocket_request(const WebAddress& to, std::string_view key);

constexpr std::size_t kMaxUpgradeAnswer = 16u << 10;

// Takes the answer to websocket_request() in, bytes as they come; refuses a header over kMaxUpgradeAnswer. No IO.
class UpgradeAnswer {
 public:
  UpgradeAnswer(WebAddress asked, std::string key) : asked_(std::move(asked)), key_(std::move(key)) {}

  // True: it is a WebSocket from now on, which begins with rest(). False: more bytes are needed. An error says what
  // was answered and what to do: 401 and 407 unauthenticated, 403 forbidden, 5xx unavailable, anything else (a page,
  // another protocol, a wrong proof) invalid.
  Result<bool> feed(std::span<const std::byte> bytes);
  Bytes rest() const { return rest_; }

 private:
  Result<bool> judge(std::string_view head) const;

  WebAddress asked_;
  std::string key_;
  std::string head_;
  Bytes rest_;
};

// A WebSocket to the relay, as far as the other end can be believed: the certificates that were shown outside are not
// judged.
struct Carrier {
  std::unique_ptr<ByteStream> stream;
  std::vector<crypto::Certificate> shown;  // leaf first; of the relay's web API, or of whoever inspects the way
};

// Through the proxy where one is set. The error names the hop that failed.
boost::asio::awaitable<Result<Carrier>> open_websocket(const Dialer& dialer, WebAddress to, const Clock& clock,
                                                       SteadyTime deadline);

}  // namespace sallyport::agent
