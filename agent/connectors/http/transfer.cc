#include "agent/connectors/http/transfer.h"

#include "agent/connectors/http/address_guard.h"
#include "agent/connectors/http/transfer_error.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::connectors::http {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kFreeOfRatio = 10u << 20;  // decompressed bytes that need no reason
constexpr std::uint64_t kMostRatio = 100;
constexpr std::uint64_t kUncounted = 32u << 10;  // compressed bytes that libcurl has not counted yet
constexpr long kMostIdle = 60;                   // seconds for which a connection is used again
constexpr long kMostAge = 300;  // and in all: what proved the agent's identity may be replaced meanwhile
constexpr milliseconds kPoll(1'000);

struct EasyDeleter {
  void operator()(CURL* handle) const { libcurl().curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { libcurl().curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const {
    for (auto* line = list; line != nullptr; line = line->next) wipe(line->data, std::strlen(line->data));
    libcurl().curl_slist_free_all(list);
  }
};
using Headers = std::unique_ptr<curl_slist, ListDeleter>;

Headers header_list(const std::vector<Secret>& lines) {
  Headers list;
  for (const Secret& line : lines) {
    std::string text(line.reveal());
    auto* longer = libcurl().curl_slist_append(list.get(), text.c_str());
    wipe(text.data(), text.size());
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

// What the callbacks of one transfer know.
struct Running {
  CURL* handle;
  const Request& request;
  AnswerSink& sink;
  Exchange& exchange;
  AddressGuard guard;
  std::array<char, CURL_ERROR_SIZE> problem{};
  std::uint64_t taken = 0;  // bytes of the answer's body, decompressed

  void fail_with(StepError error) {
    if (!exchange.error) exchange.error = std::move(error);
  }
  std::uint64_t received() const {
    curl_off_t bytes = 0;
    libcurl().curl_easy_getinfo(handle, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    return static_cast<std::uint64_t>(std::max<curl_off_t>(bytes, 0));
  }
};

// No exception may go through libcurl. `work` gives a StepResult with what the callback returns.
template <class Work>
std::size_t fenced(void* to, std::size_t failed, Work work) {
  auto& running = *static_cast<Running*>(to);
  try {
    auto done = work(running);
    if (done) return *done;
    running.fail_with(std::move(done).error());
  } catch (const std::exception&) {
    running.fail_with({{"internal"}, "this machine has no memory for the request", {}});
  }
  return failed;
}

std::size_t take_header(char* data, std::size_t, std::size_t count, void* to) {
  return fenced(to, 0, [&](Running& running) -> StepResult<std::size_t> {
    const std::string_view line(data, count);
    if (line.starts_with("HTTP/")) {
      running.sink.begin();
      running.taken = 0;
    }
    SP_CHECK(running.exchange.head.take(line));
    return count;
  });
}

std::size_t take_body(char* data, std::size_t, std::size_t count, void* to) {
  return fenced(to, 0, [&](Running& running) -> StepResult<std::size_t> {
    running.taken += count;
    if (running.taken > kFreeOfRatio && running.taken > kMostRatio * (running.received() + kUncounted))
      return step_fail("too_large", "the server's answer grows too much when it is decompressed");
    SP_CHECK(running.sink.take(running.exchange.head, as_bytes(std::string_view(data, count))));
    return count;
  });
}

std::size_t give_body(char* data, std::size_t, std::size_t count, void* to) {
  return fenced(to, CURL_READFUNC_ABORT, [&](Running& running) -> StepResult<std::size_t> {
    if (running.request.body == nullptr) return 0;
    auto given = running.request.body->read(std::as_writable_bytes(std::span(data, count)));
    if (!given) return step_in_context("reading what is to be sent", std::move(given).error());
    return *given;
  });
}

int rewind_body(void* to, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
  const auto answer = fenced(to, CURL_SEEKFUNC_FAIL, [](Running& running) -> StepResult<std::size_t> {
    if (running.request.body != nullptr) SP_CHECK(running.request.body->rewind());
    return CURL_SEEKFUNC_OK;
  });
  return static_cast<int>(answer);
}

int note_sending(void* to, char*, char*, int, int) {
  static_cast<Running*>(to)->exchange.sent = true;
  return CURL_PREREQFUNC_OK;
}

curl_socket_t open_socket(void* to, curlsocktype, curl_sockaddr* address) {
  return static_cast<Running*>(to)->guard.open(*address);
}

void set_method(CURL* handle, const Request& request) {
  const auto& curl = libcurl();
  if (request.method == "HEAD") curl.curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  curl.curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  constexpr std::array<std::string_view, 3> kWithContent{"POST", "PUT", "PATCH"};
  const bool expected = std::ranges::find(kWithContent, request.method) != kWithContent.end();
  if (request.body == nullptr && !expected) return;
  curl.curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  const auto size = request.body == nullptr ? 0 : request.body->size();
  curl.curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, size ? static_cast<curl_off_t>(*size) : curl_off_t{-1});
}

void set_callbacks(Running& running) {
  const auto& curl = libcurl();
  auto* const handle = running.handle;
  curl.curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, running.problem.data());
  curl.curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl.curl_easy_setopt(handle, CURLOPT_HEADERDATA, &running);
  curl.curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl.curl_easy_setopt(handle, CURLOPT_WRITEDATA, &running);
  curl.curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
  curl.curl_easy_setopt(handle, CURLOPT_READDATA, &running);
  curl.curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, rewind_body);
  curl.curl_easy_setopt(handle, CURLOPT_SEEKDATA, &running);
  curl.curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl.curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &running);
  curl.curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, note_sending);
  curl.curl_easy_setopt(handle, CURLOPT_PREREQDATA, &running);
}

void set_tls(CURL* handle, const policy::HttpConnection& settings, const TransferSecrets& secrets) {
  const auto& curl = libcurl();
  curl.curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl.curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl.curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) {
    curl.curl_easy_setopt(handle, CURLOPT_CAINFO, settings.ca_file.c_str());
    curl.curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  if (settings.client_certificate_file.empty()) return;
  curl.curl_easy_setopt(handle, CURLOPT_SSLCERT, settings.client_certificate_file.c_str());
  const auto key = secrets.client_key.reveal();
  curl_blob blob{const_cast<char*>(key.data()), key.size(), CURL_BLOB_COPY};
  curl.curl_easy_setopt(handle, CURLOPT_SSLKEY_BLOB, &blob);
}

void set_proxy(CURL* handle, const policy::HttpConnection& settings, const TransferSecrets& secrets) {
  const auto& curl = libcurl();
  curl.curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
  if (!settings.proxy) {
    curl.curl_easy_setopt(handle, CURLOPT_PROXY, "");  // nor one of the environment
    return;
  }
  curl.curl_easy_setopt(handle, CURLOPT_PROXY, settings.proxy->url.origin().c_str());
  curl.curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl.curl_easy_setopt(handle, CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!settings.ca_file.empty()) {
    curl.curl_easy_setopt(handle, CURLOPT_PROXY_CAINFO, settings.ca_file.c_str());
    curl.curl_easy_setopt(handle, CURLOPT_PROXY_CAPATH, nullptr);
  }
  if (settings.proxy->user.empty()) return;
  curl.curl_easy_setopt(handle, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl.curl_easy_setopt(handle, CURLOPT_PROXYUSERNAME, settings.proxy->user.c_str());
  curl.curl_easy_setopt(handle, CURLOPT_PROXYPASSWORD, std::string(secrets.proxy_password.reveal()).c_str());
}

void set_login(CURL* handle, const policy::HttpConnection& settings, const TransferSecrets& secrets) {
  const auto& curl = libcurl();
  if (const auto* ntlm = std::get_if<policy::HttpNtlm>(&settings.auth)) {
    curl.curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NTLM));
    curl.curl_easy_setopt(handle, CURLOPT_USERNAME, ntlm->user.c_str());
    curl.curl_easy_setopt(handle, CURLOPT_PASSWORD, std::string(secrets.user_password.reveal()).c_str());
  } else if (std::holds_alternative<policy::HttpNegotiate>(settings.auth)) {
    curl.curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NEGOTIATE));
    curl.curl_easy_setopt(handle, CURLOPT_USERPWD, ":");
  }
}

}  // namespace

struct Transfer::Impl {
  const policy::HttpConnection& settings;
  const policy::HttpPolicy& policy;
  std::unique_ptr<CURLM, MultiDeleter> multi{libcurl().curl_multi_init()};  // holds the connections
  std::unique_ptr<CURL, EasyDeleter> handle{libcurl().curl_easy_init()};

  void prepare(Running& running, const TransferSecrets& secrets, curl_slist* headers) {
    const auto& curl = libcurl();
    const auto& request = running.request;
    curl.curl_easy_reset(handle.get());
    curl.curl_easy_setopt(handle.get(), CURLOPT_URL, request.url.c_str());
    curl.curl_easy_setopt(handle.get(), CURLOPT_PATH_AS_IS, 1L);
    curl.curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "https,http");
    curl.curl_easy_setopt(handle.get(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl.curl_easy_setopt(handle.get(), CURLOPT_FOLLOWLOCATION, 0L);
    curl.curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    curl.curl_easy_setopt(handle.get(), CURLOPT_QUICK_EXIT, 1L);  // no wait for a resolver that hangs
    curl.curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
    curl.curl_easy_setopt(handle.get(), CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl.curl_easy_setopt(handle.get(), CURLOPT_MAXAGE_CONN, kMostIdle);
    curl.curl_easy_setopt(handle.get(), CURLOPT_MAXLIFETIME_CONN, kMostAge);
    curl.curl_easy_setopt(handle.get(), CURLOPT_FRESH_CONNECT, request.on_new_connection ? 1L : 0L);
    curl.curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers);
    set_tls(handle.get(), settings, secrets);
    set_proxy(handle.get(), settings, secrets);
    if (request.log_in) set_login(handle.get(), settings, secrets);
    set_callbacks(running);
    set_method(handle.get(), request);
  }

  // nullopt: ended from here, with the error in the exchange.
  std::optional<CURLcode> drive(Running& running, const CallLimits& limits) {
    const auto& curl = libcurl();
    const std::stop_callback wake(limits.stop, [this] { libcurl().curl_multi_wakeup(multi.get()); });
    while (true) {
      int busy = 0, left = 0;
      curl.curl_multi_perform(multi.get(), &busy);
      if (const auto* message = curl.curl_multi_info_read(multi.get(), &left)) return message->data.result;
      if (running.guard.refusal()) return std::nullopt;
      const auto time = std::chrono::duration_cast<milliseconds>(limits.deadline - limits.clock.steady());
      if (limits.stop.stop_requested()) running.fail_with({{"cancelled"}, "stopped", {}});
      if (time.count() <= 0) running.fail_with({{"timeout"}, "the server did not answer in time", {}});
      if (running.exchange.error) return std::nullopt;
      curl.curl_multi_poll(multi.get(), nullptr, 0, static_cast<int>(std::min(time, kPoll).count()) + 1, nullptr);
    }
  }
};

Transfer::Transfer(const policy::HttpConnection& settings, const policy::HttpPolicy& policy)
    : impl_(std::make_unique<Impl>(settings, policy)) {
  if (!impl_->handle || !impl_->multi) throw std::bad_alloc();
}

Transfer::~Transfer() = default;

Exchange Transfer::perform(const Request& request, const TransferSecrets& secrets, AnswerSink& sink,
                           const CallLimits& limits) {
  const auto& curl = libcurl();
  const auto way = impl_->settings.proxy ? AddressGuard::Way::proxy : AddressGuard::Way::direct;
  Exchange exchange;
  Running running{impl_->handle.get(), request, sink, exchange, AddressGuard(impl_->policy, way)};
  const auto headers = header_list(request.headers);
  sink.begin();
  impl_->prepare(running, secrets, headers.get());
  curl.curl_multi_add_handle(impl_->multi.get(), impl_->handle.get());
  const auto code = impl_->drive(running, limits);
  curl.curl_multi_remove_handle(impl_->multi.get(), impl_->handle.get());
  if (const auto& refusal = running.guard.refusal(); refusal) {
    exchange.error = to_step_error(*refusal);
  } else if (!exchange.error && code && *code != CURLE_OK) {
    auto fault = to_transfer_fault(*code, running.problem.data());
    (fault.names_settings ? exchange.fault : exchange.error) = std::move(fault.error);
  }
  curl.curl_easy_reset(impl_->handle.get());  // which forgets passwords and what points to here
  return exchange;
}

}  // namespace sallyport::connectors::http
