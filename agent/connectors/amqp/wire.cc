#include "agent/connectors/amqp/wire.h"

#include "agent/connectors/dial.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace sallyport::connectors::amqp {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct FreeEasy {
  void operator()(CURL* easy) const { libcurl().curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { libcurl().curl_slist_free_all(list); }
};

curl_socket_t hand_over(void* self, curlsocktype, curl_sockaddr*) {
  auto& socket = *static_cast<platform::Fd*>(self);
  return socket ? socket.release() : CURL_SOCKET_BAD;
}

int say_connected(void*, curl_socket_t, curlsocktype) { return CURL_SOCKOPT_ALREADY_CONNECTED; }

std::string where(const policy::AmqpConnection& settings) {
  return settings.host.contains(':') ? fmt::format("[{}]:{}", settings.host, settings.port)
                                     : fmt::format("{}:{}", settings.host, settings.port);
}

}  // namespace

struct Wire::Curl {
  platform::Fd socket;  // connected; until curl takes it
  std::unique_ptr<curl_slist, FreeList> addresses;
  std::unique_ptr<CURL, FreeEasy> easy{libcurl().curl_easy_init()};
  bool good = easy != nullptr;

  template <class T>
  void set(CURLoption option, T value) {
    good = good && libcurl().curl_easy_setopt(easy.get(), option, value) == CURLE_OK;
  }

  // Nothing of the environment (proxies) or of files counts. curl's part ends with the handshake: no HTTP is spoken.
  void set_way(const policy::AmqpConnection& settings) {
    set(CURLOPT_URL, fmt::format("{}://{}", settings.tls.used ? "https" : "http", where(settings)).c_str());
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    // The connection stands: no name is looked up, and this address not used.
    const auto known = fmt::format("{}:{}:127.0.0.1", settings.host, settings.port);
    addresses.reset(libcurl().curl_slist_append(nullptr, known.c_str()));
    set(CURLOPT_RESOLVE, addresses.get());
    set(CURLOPT_OPENSOCKETFUNCTION, hand_over);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&socket));
    set(CURLOPT_SOCKOPTFUNCTION, say_connected);
  }

  void set_tls(const policy::BrokerTls& tls, std::string_view key) {
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSL_ENABLE_ALPN, 0L);
    if (!tls.ca_file.empty()) set(CURLOPT_CAINFO, tls.ca_file.c_str());
    if (!tls.ca_file.empty()) set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    if (tls.client_certificate_file.empty()) return;
    set(CURLOPT_SSLCERT, tls.client_certificate_file.c_str());
    curl_blob blob{const_cast<char*>(key.data()), key.size(), CURL_BLOB_COPY};
    set(CURLOPT_SSLKEY_BLOB, &blob);
  }
};

Wire::Wire(std::unique_ptr<Curl> curl, platform::Fd watched) : curl_(std::move(curl)), watched_(std::move(watched)) {}
Wire::~Wire() = default;

StepResult<std::unique_ptr<Wire>> Wire::open(const policy::AmqpConnection& settings, const vault::Vault& vault,
                                             const CallLimits& limits) {
  if (const auto loaded = load_libcurl(); !loaded) return step_fail("connection", loaded.error().message);
  Secret key;
  if (settings.tls.client_key) {
    SP_TRY(key, to_step(vault.resolve(settings.tls.client_key)));
  }
  const CallLimits connecting{std::min(limits.deadline, SteadyClock::now() + settings.connect_timeout), limits.stop};
  auto curl = std::make_unique<Curl>();
  SP_TRY(curl->socket, dial(settings.host, settings.port, connecting));
  auto watched = platform::duplicate_socket(curl->socket.get());
  if (!watched) return step_fail("connection", "this machine has no file left for a connection");
  curl->set_way(settings);
  if (settings.tls.used) curl->set_tls(settings.tls, key.reveal());
  if (!curl->good) return step_fail("connection", "libcurl does not take the settings");
  CURLcode ended = CURLE_OK;
  {
    const CutAtLimits cut(watched.get(), connecting);
    ended = libcurl().curl_easy_perform(curl->easy.get());
  }
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (SteadyClock::now() >= connecting.deadline)
    return step_fail("connection", fmt::format("TLS with {}: the broker did not answer in time", where(settings)));
  if (ended != CURLE_OK)
    return step_fail("connection",
                     fmt::format("TLS with {}: {}", where(settings), libcurl().curl_easy_strerror(ended)));
  return std::unique_ptr<Wire>(new Wire(std::move(curl), std::move(watched)));
}

// Returns when the socket is ready, and also when not, to look again; class "timeout" at the deadline.
StepResult<void> Wire::wait(platform::SocketNeed need, const CallLimits& limits) {
  const auto now = SteadyClock::now();
  if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (now >= limits.deadline) return step_fail("timeout", "the broker did not answer in time");
  const std::stop_callback cut(limits.stop, [this] { platform::shut_down_socket(watched_.get()); });
  if (platform::wait_for_socket(watched_.get(), need, limits.deadline - now) == platform::SocketState::failed)
    return step_fail("connection", "the system cannot wait for the connection");
  return {};
}

StepResult<void> Wire::send(std::span<const std::byte> bytes, const CallLimits& limits) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    const auto code = libcurl().curl_easy_send(curl_->easy.get(), bytes.data(), bytes.size(), &sent);
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (code == CURLE_AGAIN) {
      SP_CHECK(wait(platform::SocketNeed::writing, limits));
      continue;
    }
    if (code != CURLE_OK) return step_fail("connection", "the connection with the broker broke");
    bytes = bytes.subspan(sent);
  }
  return {};
}

StepResult<std::size_t> Wire::receive(std::span<std::byte> into, const CallLimits& limits) {
  for (;;) {
    std::size_t got = 0;
    const auto code = libcurl().curl_easy_recv(curl_->easy.get(), into.data(), into.size(), &got);
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (code == CURLE_OK && got > 0) return got;
    if (code != CURLE_AGAIN) return step_fail("connection", "the broker closed the connection, or it broke");
    const auto waited = wait(platform::SocketNeed::reading, limits);
    if (!waited && waited.error().error_class() == "timeout") return 0u;
    if (!waited) return std::unexpected(waited.error());
  }
}

bool Wire::is_quiet() const {
  return platform::wait_for_socket(watched_.get(), platform::SocketNeed::reading, std::chrono::nanoseconds::zero()) ==
         platform::SocketState::not_yet;
}

}  // namespace sallyport::connectors::amqp
