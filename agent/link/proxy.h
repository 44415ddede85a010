#pragma once

#include "agent/link/endpoint.h"
#include "shared/base/secret.h"
#include "shared/base/value.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::agent {

// An HTTP proxy that CONNECT goes through (RFC 9110 §9.3.6), with basic authentication (RFC 7617) if a user is given.
struct Proxy {
  Endpoint at;
  std::string user;
  Secret password;
};

// "http://user:password@proxy.example:3128", or without scheme; the port's default is 3128. User and password may be
// percent-encoded. https:// and socks proxies are refused with the reason. The text may hold a password: errors never
// quote it.
Result<Proxy> parse_proxy_url(std::string_view url);

// A variable of the process's environment.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The proxy for `target`: `configured` if it is not empty ("none" means directly), else the first that is set of
// https_proxy, HTTPS_PROXY, all_proxy and ALL_PROXY, unless no_proxy or NO_PROXY names the target.
Result<std::optional<Proxy>> choose_proxy(const std::string& configured, const Environment& environment,
                                          const Endpoint& target);

// True if the comma-separated `list` names the target: "*", a host, ".domain" or "domain" (with everything below it),
// an IP address, each with an optional ":port"; "10.0.0.0/8" for addresses.
bool bypasses_proxy(std::string_view list, const Endpoint& target);

// The request with its credentials.
Secret connect_request(const Endpoint& target, const Proxy& proxy);

constexpr std::size_t kMaxProxyAnswer = 16u << 10;

// Takes the proxy's answer in, bytes as they come; refuses a header over kMaxProxyAnswer. No IO.
class ProxyAnswer {
 public:
  // `proxy` is for the texts of errors.
  explicit ProxyAnswer(Endpoint proxy) : proxy_(std::move(proxy)) {}

  // True: the tunnel is open. False: more bytes are needed. An error says what the proxy answered and what to do:
  // 407 and 401 unauthenticated, 403 forbidden, 500 to 504 unavailable, anything else (HTML, another protocol) invalid.
  Result<bool> feed(std::span<const std::byte> bytes);

 private:
  Result<bool> judge(std::string_view head, std::size_t bytes_after) const;

  Endpoint proxy_;
  std::string head_;
};

}  // namespace sallyport::agent
