#include "agent/connectors/mail/smtp.h"

#include "agent/connectors/dial.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/translate.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>

namespace sallyport::connectors::mail {
namespace {

using Clock = std::chrono::steady_clock;
using policy::SmtpSecurity;

struct FreeEasy {
  void operator()(CURL* easy) const { libcurl().curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { libcurl().curl_slist_free_all(list); }
};

struct Meaning {
  long code;
  std::string_view error_class;
};
constexpr std::array kMeanings{Meaning{452, "too_large"},  Meaning{530, "permission"}, Meaning{534, "permission"},
                               Meaning{535, "permission"}, Meaning{538, "permission"}, Meaning{550, "constraint"},
                               Meaning{551, "constraint"}, Meaning{552, "too_large"},  Meaning{553, "constraint"},
                               Meaning{554, "constraint"}};

// What curl asks for while it works.
struct Feed {
  ByteReader& message;
  const CallLimits& limits;
  platform::Fd socket;  // connected; until curl takes it
  std::optional<StepError> error = {};
  bool whole = false;  // the end was handed over

  bool is_over() const { return limits.stop.stop_requested() || Clock::now() >= limits.deadline; }

  static std::size_t read(char* into, std::size_t size, std::size_t count, void* self) {
    auto& feed = *static_cast<Feed*>(self);
    if (feed.is_over()) return CURL_READFUNC_ABORT;
    auto got = feed.message.read(std::as_writable_bytes(std::span(into, size * count)));
    if (!got) feed.error = std::move(got).error();
    if (feed.error) return CURL_READFUNC_ABORT;
    feed.whole = *got == 0;
    return *got;
  }
  static curl_socket_t open(void* self, curlsocktype, curl_sockaddr*) {
    auto& feed = *static_cast<Feed*>(self);
    return feed.socket ? feed.socket.release() : CURL_SOCKET_BAD;
  }
  static int say_connected(void*, curl_socket_t, curlsocktype) { return CURL_SOCKOPT_ALREADY_CONNECTED; }
};

constexpr std::array kTlsFaults{CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_USE_SSL_FAILED,
                                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER};

std::size_t drop(char*, std::size_t size, std::size_t count, void*) { return size * count; }

std::string url_of(const policy::SmtpConnection& settings) {
  const bool address = settings.host.contains(':');
  return fmt::format("{}://{}{}{}:{}", settings.security == SmtpSecurity::tls ? "smtps" : "smtp", address ? "[" : "",
                     settings.host, address ? "]" : "", settings.port);
}

class Transfer {
 public:
  Transfer(const policy::SmtpConnection& settings, const CallLimits& limits, ByteReader& message, platform::Fd socket)
      : settings_(settings), limits_(limits), feed_{message, limits, std::move(socket)} {}

  // curl waits for answers inside its calls, and ends a message in a way that a server takes for its end when it is
  // told to leave: it is never told, its connection is cut.
  StepResult<void> run(std::string_view password, const Envelope& envelope) {
    set_message(envelope);
    return perform(password);
  }
  // Without a message: up to the login.
  StepResult<void> greet(std::string_view password) {
    set(CURLOPT_CONNECT_ONLY, 1L);
    return perform(password);
  }
  bool is_secured() const { return secured_; }

 private:
  StepResult<void> perform(std::string_view password) {
    const auto watched = platform::duplicate_socket(feed_.socket.get());
    if (!easy_ || !watched) return step_fail("connection", "out of memory or files");
    set_way();
    set_login(password);
    if (!good_) return step_fail("internal", "libcurl does not take its settings");
    const CutAtLimits cut(watched.get(), limits_);
    return ended(libcurl().curl_easy_perform(easy_.get()));
  }

  template <class T>
  void set(CURLoption option, T value) {
    good_ = libcurl().curl_easy_setopt(easy_.get(), option, value) == CURLE_OK && good_;
  }

  // Nothing of the environment (proxies) or of files counts.
  void set_way() {
    set(CURLOPT_URL, url_of(settings_).c_str());
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    // The connection stands: no name is looked up, and this address not used.
    const auto known = fmt::format("{}:{}:127.0.0.1", settings_.host, settings_.port);
    addresses_.reset(libcurl().curl_slist_append(nullptr, known.c_str()));
    set(CURLOPT_RESOLVE, addresses_.get());
    set(CURLOPT_OPENSOCKETFUNCTION, Feed::open);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&feed_));
    set(CURLOPT_SOCKOPTFUNCTION, Feed::say_connected);
    set(CURLOPT_WRITEFUNCTION, drop);
    set(CURLOPT_USE_SSL,
        static_cast<long>(settings_.security == SmtpSecurity::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (!settings_.ca_file.empty()) set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }

  void set_login(std::string_view password) {
    if (settings_.user.empty()) return;
    std::string secret(password);
    set(CURLOPT_USERNAME, settings_.user.c_str());
    set(CURLOPT_PASSWORD, secret.c_str());
    wipe(secret.data(), secret.size());
  }

  void set_message(const Envelope& envelope) {
    for (const auto& address : envelope.to)
      recipients_.reset(libcurl().curl_slist_append(recipients_.release(), fmt::format("<{}>", address).c_str()));
    set(CURLOPT_MAIL_FROM, fmt::format("<{}>", envelope.from).c_str());
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, Feed::read);
    set(CURLOPT_READDATA, static_cast<void*>(&feed_));
  }

  StepResult<void> ended(CURLcode code) {
    if (code == CURLE_OK) return {};
    secured_ = std::ranges::find(kTlsFaults, code) == kTlsFaults.end();
    if (feed_.error) return std::unexpected(*std::move(feed_.error));
    if (limits_.stop.stop_requested()) return without_answer({{"cancelled"}, "stopped", {}});
    if (feed_.is_over()) return without_answer({{"timeout"}, "the mail server did not answer in time", {}});
    long reply = 0;
    libcurl().curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &reply);
    const bool told = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_LOGIN_DENIED;
    if (told && reply >= 400) return std::unexpected(reply_error(reply, "the mail server refuses"));
    return without_answer({{"connection"}, libcurl().curl_easy_strerror(code), {}});
  }

  // The server may have taken a message whose end was sent.
  StepResult<void> without_answer(StepError error) const {
    if (!feed_.whole) return std::unexpected(std::move(error));
    return step_fail("in_doubt",
                     "it is not known whether the mail was sent, the server did not answer: " + error.message);
  }

  const policy::SmtpConnection& settings_;
  const CallLimits& limits_;
  Feed feed_;
  std::unique_ptr<curl_slist, FreeList> recipients_, addresses_;
  std::unique_ptr<CURL, FreeEasy> easy_{libcurl().curl_easy_init()};
  bool good_ = true, secured_ = true;
};

}  // namespace

StepError reply_error(long code, std::string_view doing) {
  const auto it = std::ranges::find(kMeanings, code, &Meaning::code);
  std::string_view general = code < 500 ? "connection" : "invalid";
  if (it != kMeanings.end()) general = it->error_class;
  return {{fmt::format("smtp:{}", code), std::string(general)}, fmt::format("{} (reply code {})", doing, code), {}};
}

namespace {

class NoMessage final : public ByteReader {
 public:
  StepResult<std::size_t> read(std::span<std::byte>) override { return 0; }
};

// Loads the library, connects, and has `work` done on it with the password.
template <class Work>
StepResult<void> on_connection(const policy::SmtpConnection& settings, const vault::Vault& vault, ByteReader& message,
                               const CallLimits& limits, Work work) {
  if (const auto loaded = load_libcurl(); !loaded) return step_fail("connection", loaded.error().message);
  Secret password;
  if (settings.password) {
    SP_TRY(password, to_step(vault.resolve(settings.password)));
  }
  const CallLimits connecting{std::min(limits.deadline, Clock::now() + settings.connect_timeout), limits.stop};
  SP_TRY(auto socket, dial(settings.host, settings.port, connecting));
  Transfer transfer(settings, limits, message, std::move(socket));
  return work(transfer, password.reveal());
}

}  // namespace

StepResult<void> send(const policy::SmtpConnection& settings, const vault::Vault& vault, const Envelope& envelope,
                      ByteReader& message, const CallLimits& limits) {
  return on_connection(settings, vault, message, limits,
                       [&](Transfer& transfer, std::string_view password) { return transfer.run(password, envelope); });
}

Greeting greet(const policy::SmtpConnection& settings, const vault::Vault& vault, const CallLimits& limits) {
  NoMessage none;
  bool secured = true;
  auto result = on_connection(settings, vault, none, limits, [&](Transfer& transfer, std::string_view password) {
    auto greeted = transfer.greet(password);
    secured = transfer.is_secured();
    return greeted;
  });
  return {secured, std::move(result)};
}

}  // namespace sallyport::connectors::mail
