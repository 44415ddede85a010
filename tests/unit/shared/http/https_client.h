#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace sallyport::test {

// A blocking HTTPS client that sends exactly the bytes it is given, for tests that run the server on another thread.
// Every wait ends after five seconds. Checks no certificate: that is not what these tests are about.
class HttpsClient {
 public:
  struct Options {
    std::uint16_t port = 0;
    int most_version = 0;  // 0: the library's newest
    std::string alpn;      // wire form; "" = none
    std::string suites;    // TLS 1.2 suites to offer; "" = the library's
  };
  explicit HttpsClient(std::uint16_t port) : HttpsClient(Options{.port = port}) {}
  explicit HttpsClient(Options options);
  ~HttpsClient();

  bool connected() const { return tls_ != nullptr; }  // the handshake succeeded
  std::string tls_version() const;
  bool send(std::string_view bytes);  // false: the peer is gone
  // One whole answer with a Content-Length; "" when the connection ends before it.
  std::string receive();
  // Reads until `text` has come; what came so far. Shorter without `text` when the connection ends.
  std::string receive_until(std::string_view text);
  bool closed();  // true when the peer closes (waits)

 private:
  bool read_more();

  int socket_ = -1;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* tls_ = nullptr;
  std::string pending_;
};

std::string body_of(std::string_view answer);
int status_of(std::string_view answer);
std::string header_of(std::string_view answer, std::string_view name);

}  // namespace sallyport::test
