#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstddef>
#include <span>
#include <string>

namespace sallyport::connectors::certificate {

// What is said in clear before TLS begins, by protocol.
enum class Before {
  nothing,
  postgres,    // SSLRequest
  mysql,       // the server's greeting and the client's SSL request
  ldap,        // StartTLS (RFC 4511 section 4.14)
  smtp,        // EHLO and STARTTLS (RFC 3207)
  ftp,         // AUTH TLS (RFC 4217)
  http_proxy,  // CONNECT (RFC 9110 section 9.3.6)
};

// A client's part of it, as a state machine without IO: bytes of the server in, bytes for it out. Holds at most
// kMostPrelude bytes of an answer. No text has the server's words, only its codes.
inline constexpr std::size_t kMostPrelude = 16u << 10;
class Prelude {
 public:
  explicit Prelude(Before before) : Prelude(before, {}) {}
  // `request`: of a proxy, whole, with the empty line at its end.
  Prelude(Before before, Secret request);

  // What is to be sent now; empty: nothing.
  Secret take_output();
  // Whether TLS begins now. Errors: unavailable (the server has no TLS), invalid (it speaks another protocol, or before
  // its turn), too_large.
  Result<bool> feed(std::span<const std::byte> bytes);
  bool is_done() const { return done_; }

 private:
  Result<bool> postgres();
  Result<bool> mysql();
  Result<bool> ldap();
  Result<bool> replies();  // smtp and ftp
  Result<bool> http();
  Result<bool> read();

  Before before_;
  Secret output_;
  std::string input_;
  std::size_t step_ = 0;  // of replies()
  bool done_;
};

}  // namespace sallyport::connectors::certificate
