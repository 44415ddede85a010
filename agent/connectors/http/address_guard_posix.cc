#include "agent/connectors/http/address_guard.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <cstring>

#include <curl/curl.h>

namespace sallyport::connectors::http {
namespace {

using policy::AddressClass;

AddressClass class_of(const curl_sockaddr& address) {
  if (address.family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.addr, sizeof(v4));
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return policy::classify_address(bytes);
  }
  if (address.family != AF_INET6 || address.addrlen < sizeof(sockaddr_in6)) return AddressClass::forbidden;
  sockaddr_in6 v6{};  // libcurl leaves room for it behind `addr`
  std::memcpy(&v6, static_cast<const void*>(&address.addr), sizeof(v6));
  return policy::classify_address(v6.sin6_addr.s6_addr);
}

}  // namespace

int AddressGuard::open(const curl_sockaddr& address) {
  if (refusal_) return CURL_SOCKET_BAD;
  const auto found = class_of(address);
  const bool allowed = way_ == Way::proxy ? found != AddressClass::forbidden : policy_.allows(found);
  if (allowed) return ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  refusal_ = policy_.refused_address(found);
  return CURL_SOCKET_BAD;
}

}  // namespace sallyport::connectors::http
