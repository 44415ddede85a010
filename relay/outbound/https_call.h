#pragma once

#include "relay/outbound/call_thread.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <memory>
#include <string>
#include <vector>

namespace sallyport::outbound {

inline constexpr std::size_t kMaxHttpsAnswer = 64u << 10;

enum class HttpsMethod { post, put, get, remove };

struct HttpsRequest {
  HttpsMethod method = HttpsMethod::post;
  std::string url;
  std::vector<Secret> headers;  // whole lines: "X-Vault-Token: ..."
  Secret body;
  std::size_t most_answer = kMaxHttpsAnswer;
};

// "name: value", with no other copy of the value left behind.
Secret header_line(std::string_view name, std::string_view value);

struct HttpsAnswer {
  long status = 0;
  Secret body;
};

// Blocking calls over HTTPS on libcurl, one at a time, over one connection as long as it lasts; through the proxy of
// the environment (https_proxy, no_proxy). TLS 1.2 at least, the certificate checked; no redirect is followed. Ours of
// what was sent and received is wiped; what libcurl and libssl copied into buffers of theirs is not.
class HttpsClient {
 public:
  // `ca_file`: PEM of the only authorities that are trusted; empty: the system's.
  explicit HttpsClient(std::string ca_file);
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  // Until the call's deadline. Any status is an answer. Errors: timed_out, cancelled (the call was given up),
  // unavailable (with the reason: no connection, a certificate that is not trusted, a longer answer than
  // the request takes).
  Result<HttpsAnswer> perform(const HttpsRequest& request, const CallThread::Call& call);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Errc::invalid unless `url` is "https://host" or "https://host:port", with a name `what` for the message.
Result<void> check_https_origin(std::string_view what, std::string_view url);
// "host" or "host:port" of such a URL, as the header Host has it.
std::string host_of(std::string_view origin);
// Errc::invalid unless it is empty or a file with a certificate in PEM form.
Result<void> check_ca_file(const std::string& file);

}  // namespace sallyport::outbound
