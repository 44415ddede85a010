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

// What is known of who answered there instead of the web API; "" when nothing is.
std::string_view advice_for(CURLcode code, std::string_view reason) {
  const auto says = [reason](std::string_view words) { return reason.find(words) != std::string_view::npos; };
  if (says("no application protocol") || says("certificate required"))
    return "; that is the port for agents: the web API has another one (api.listen in the relay's relay.yaml)";
  if (says("wrong version number") || says("packet length too long"))
    return "; what answers there does not speak TLS: is it the port of a relay's web API?";
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return "; is the root certificate (--root of login, SALLYPORT_ROOT) the root.pem of this relay's deployment, and "
           "the address one of the names in its certificate?";
  if (code == CURLE_COULDNT_CONNECT) return "; is that its address, and does it run?";
  return "";
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
  const std::string_view reason = *problem != '\0' ? problem : curl_easy_strerror(which);
  return {code_of(which), fmt::format("cannot talk to {}: {}{}", url, reason, advice_for(which, reason))};
}

}  // namespace sallyport::cli
