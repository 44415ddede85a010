#include "relay/outbound/https_call.h"

#include "shared/base/host.h"
#include "shared/crypto/x509.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>

namespace sallyport::outbound {
namespace {

constexpr std::string_view kScheme = "https://";

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const {
    for (auto* line = list; line != nullptr; line = line->next) wipe(line->data, std::strlen(line->data));
    curl_slist_free_all(list);
  }
};
using Handle = std::unique_ptr<CURL, CurlDeleter>;
using Headers = std::unique_ptr<curl_slist, CurlDeleter>;

// What came, in memory that never moves, so that no copy of it is left behind.
struct Received {
  explicit Received(std::size_t at_most) : most(at_most) { bytes.reserve(at_most); }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;
  ~Received() { wipe(bytes.data(), bytes.size()); }
  std::size_t most;
  std::string bytes;
};

std::size_t take_body(char* data, std::size_t, std::size_t count, void* into) {
  auto& received = *static_cast<Received*>(into);
  if (received.bytes.size() + count > received.most) return 0;
  received.bytes.append(data, count);
  return count;
}

int stop_if_given_up(void* call, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const CallThread::Call*>(call)->given_up() ? 1 : 0;
}

Headers header_list(const std::vector<Secret>& lines) {
  Headers list;
  for (const Secret& line : lines) {
    std::string text(line.reveal());
    auto* longer = curl_slist_append(list.get(), text.c_str());
    wipe(text.data(), text.size());
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

std::string_view advice_for(CURLcode code) {
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return "; is the file with its certificate authorities the right one, and the address one of its certificate's "
           "names?";
  if (code == CURLE_COULDNT_CONNECT) return "; is that its address, and does it run?";
  return "";
}

// What may be told to who named the host: of proxies and files of this machine the library's own words tell too much.
bool is_about_host(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_COULDNT_RESOLVE_HOST;
}

Error error_of(CURLcode code, const char* problem, std::size_t most) {
  const std::string_view reason = is_about_host(code) && *problem != '\0' ? problem : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return {Errc::timed_out, "no answer in time"};
    case CURLE_ABORTED_BY_CALLBACK: return {Errc::cancelled, "nobody waits for the call any more"};
    case CURLE_WRITE_ERROR: return {Errc::unavailable, fmt::format("the answer has more than {} bytes", most)};
    default: return {Errc::unavailable, fmt::format("{}{}", reason, advice_for(code))};
  }
}

void set_method(CURL* handle, const HttpsRequest& request) {
  if (request.method == HttpsMethod::get) {
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  } else if (request.method == HttpsMethod::remove) {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "DELETE");
  } else {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.reveal().begin());
    if (request.method == HttpsMethod::put) curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "PUT");
  }
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  return problem == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

struct HttpsClient::Impl {
  std::string ca_file;
  Handle handle{curl_easy_init()};  // keeps the connection for the next call
};

HttpsClient::HttpsClient(std::string ca_file) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);  // any thread may be the first
  impl_ = std::make_unique<Impl>(std::move(ca_file));
  if (ready != CURLE_OK || !impl_->handle) throw std::bad_alloc();
}

HttpsClient::~HttpsClient() = default;

Result<HttpsAnswer> HttpsClient::perform(const HttpsRequest& request, const CallThread::Call& call) {
  using std::chrono::milliseconds;
  auto* handle = impl_->handle.get();
  const auto headers = header_list(request.headers);
  const auto left = std::chrono::duration_cast<milliseconds>(call.deadline() - std::chrono::steady_clock::now());
  Received received(request.most_answer);
  std::array<char, CURL_ERROR_SIZE> problem{};
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem.data());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!impl_->ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, impl_->ca_file.c_str());
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max(left, milliseconds(1)).count()));
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, stop_if_given_up);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &call);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  set_method(handle, request);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
  const auto code = curl_easy_perform(handle);
  if (code != CURLE_OK) return std::unexpected(error_of(code, problem.data(), received.most));
  HttpsAnswer answer;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  answer.body = Secret::take(received.bytes);
  return answer;
}

Secret header_line(std::string_view name, std::string_view value) {
  std::string line;
  line.reserve(name.size() + value.size() + 2);
  line.append(name).append(": ").append(value);
  return Secret::take(line);
}

Result<void> check_https_origin(std::string_view what, std::string_view url) {
  const auto refused = fail(Errc::invalid, fmt::format("{} must be https://host or https://host:port", what));
  if (!url.starts_with(kScheme)) return refused;
  auto host = url.substr(kScheme.size());
  const auto bracket = host.rfind(']');
  if (const auto colon = host.rfind(':'); colon != host.npos && (bracket == host.npos || colon > bracket)) {
    if (!is_port(host.substr(colon + 1))) return refused;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (auto known = canonical_host(host); !known) return in_context(what, std::move(known).error());
  return {};
}

std::string host_of(std::string_view origin) { return std::string(origin.substr(kScheme.size())); }

Result<void> check_ca_file(const std::string& file) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  if (file.empty()) return {};
  std::ifstream opened(file);
  if (!opened) return fail(Errc::invalid, file + ": the file with the certificate authorities cannot be read");
  const std::string text{std::istreambuf_iterator<char>(opened), {}};
  const auto begin = text.find("-----BEGIN CERTIFICATE-----");
  const auto end = text.find(kEnd, begin);
  if (end != text.npos && crypto::Certificate::from_pem(text.substr(begin, end + kEnd.size() - begin))) return {};
  return fail(Errc::invalid, file + ": the file with the certificate authorities has no certificate in PEM form");
}

}  // namespace sallyport::outbound
