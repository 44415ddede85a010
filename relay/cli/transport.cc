#include "relay/cli/transport.h"

#include "relay/cli/relay_address.h"

#include <curl/curl.h>
#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr long kConnectSeconds = 10;

// What is wrong on this side is not called a relay that is away.
Errc code_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Errc::timed_out;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CACERT_BADFILE: return Errc::invalid;
    case CURLE_WRITE_ERROR: return Errc::too_large;  // the one who takes the answer took no more
    default: return Errc::unavailable;
  }
}

}  // namespace

void set_transport(void* handle, const Endpoint& endpoint, const std::string& url, char* problem) {
  problem[0] = '\0';
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_CAINFO, nullptr);
  curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  curl_blob root{const_cast<char*>(endpoint.root_pem.data()), endpoint.root_pem.size(), CURL_BLOB_COPY};
  curl_easy_setopt(handle, CURLOPT_CAINFO_BLOB, &root);
  if (is_loopback(endpoint.url)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "sallyport-cli");
}

Error transport_error(int code, const char* problem, const std::string& url) {
  const auto which = static_cast<CURLcode>(code);
  const auto reason = *problem != '\0' ? problem : curl_easy_strerror(which);
  return {code_of(which), fmt::format("cannot talk to {}: {}", url, reason)};
}

}  // namespace sallyport::cli
