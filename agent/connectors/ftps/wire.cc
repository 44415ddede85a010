#include "agent/connectors/ftps/wire.h"

#include "agent/connectors/ftps/wire_error.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/translate.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace sallyport::connectors::ftps {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;
using policy::FtpsSecurity;

constexpr milliseconds kPoll(20);  // libcurl does not always say that it could go on: with a data connection after EPSV
constexpr long kBuffer = 256L << 10;

struct EasyDeleter {
  void operator()(CURL* handle) const { libcurl().curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { libcurl().curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { libcurl().curl_slist_free_all(list); }
};
using Lines = std::unique_ptr<curl_slist, ListDeleter>;

void append(Lines& lines, const std::string& line) {
  auto* longer = libcurl().curl_slist_append(lines.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  (void)lines.release();
  lines.reset(longer);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Of an absolute path, in a URL: "%2F" first, and nothing in it that libcurl could read as its own (";type=").
std::string escaped(std::string_view path) {
  constexpr std::string_view kPlain = "-._~/";
  std::string text = "%2F";
  path.remove_prefix(1);
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kPlain.contains(c);
    text += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

// What the callbacks of one call know.
struct Running {
  Talk& talk;
  const CallLimits& limits;
  const Wire::Take* take = nullptr;
  ByteReader* source = nullptr;
  std::uint64_t* at = nullptr;
  std::optional<StepError> error = {};
  bool secured = false;       // TLS on the control connection stands
  bool before_login = false;  // leaves before anybody logs in

  bool is_over() const { return limits.stop.stop_requested() || SteadyClock::now() >= limits.deadline; }
};

// No exception may go through libcurl. `work` gives a StepResult with what the callback returns.
template <class T, class Work>
T fenced(void* to, T failed, Work work) {
  auto& running = *static_cast<Running*>(to);
  try {
    StepResult<T> done = work(running);
    if (done) return *done;
    if (!running.error) running.error = std::move(done).error();
  } catch (const std::exception&) {
    running.error = StepError{{"internal"}, "this machine has no memory for it", {}};
  }
  return failed;
}

std::size_t take_bytes(char* data, std::size_t, std::size_t count, void* to) {
  return fenced<std::size_t>(to, 0, [&](Running& running) -> StepResult<std::size_t> {
    if (running.take != nullptr) SP_CHECK((*running.take)(as_bytes(std::string_view(data, count))));
    return count;
  });
}

std::size_t give_bytes(char* data, std::size_t, std::size_t count, void* to) {
  return fenced<std::size_t>(to, CURL_READFUNC_ABORT, [&](Running& running) -> StepResult<std::size_t> {
    if (running.source == nullptr) return 0;
    SP_TRY(const auto got, running.source->read(std::as_writable_bytes(std::span(data, count))));
    *running.at += got;
    return got;
  });
}

std::size_t take_reply(char*, std::size_t, std::size_t count, void* to) {
  const auto& running = *static_cast<const Running*>(to);
  return running.before_login && running.secured ? 0 : count;
}

int follow(CURL*, curl_infotype type, char* data, std::size_t size, void* to) {
  return fenced<int>(to, 0, [&](Running& running) -> StepResult<int> {
    const std::string_view text(data, size);
    if (type == CURLINFO_HEADER_OUT) running.talk.sent(text);
    if (type == CURLINFO_HEADER_OUT && text.starts_with("USER ")) running.secured = true;
    if (type == CURLINFO_HEADER_IN) running.talk.received(text);
    return 0;
  });
}

// Asked every second also where libcurl waits inside its calls.
int leave(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Running*>(to)->is_over() ? 1 : 0;
}

}  // namespace

struct Wire::Impl {
  explicit Impl(const policy::FtpsConnection& of) : settings(of) {
    if (!multi || !easy) throw std::bad_alloc();
    const bool bare = settings.host.contains(':');
    origin = fmt::format("{}://{}{}{}:{}/", settings.security == FtpsSecurity::implicit_tls ? "ftps" : "ftp",
                         bare ? "[" : "", settings.host, bare ? "]" : "", settings.port);
    set_way();
    set_tls();
  }
  // A server that hangs is not waited for: libcurl would say QUIT and listen.
  ~Impl() {
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (libcurl().curl_easy_getinfo(easy.get(), CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
        socket != CURL_SOCKET_BAD)
      platform::shut_down_socket(socket);
    easy.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  template <class T>
  void set(CURLoption option, T value) {
    good = libcurl().curl_easy_setopt(easy.get(), option, value) == CURLE_OK && good;
  }

  // Nothing of the environment (proxies, .netrc) counts, and no address that a server names but its own.
  void set_way() {
    set(CURLOPT_PROTOCOLS_STR, "ftp,ftps");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_FTP_FILEMETHOD, static_cast<long>(CURLFTPMETHOD_NOCWD));
    set(CURLOPT_FTP_SKIP_PASV_IP, 1L);
    set(CURLOPT_BUFFERSIZE, kBuffer);
    set(CURLOPT_UPLOAD_BUFFERSIZE, kBuffer);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_MAXCONNECTS, 1L);
    const auto silence = static_cast<long>(std::chrono::ceil<std::chrono::seconds>(settings.answer_timeout).count());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
    set(CURLOPT_SERVER_RESPONSE_TIMEOUT, silence);
    set(CURLOPT_LOW_SPEED_TIME, silence);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_ERRORBUFFER, problem.data());
    set(CURLOPT_VERBOSE, 1L);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_DEBUGFUNCTION, follow);
    set(CURLOPT_XFERINFOFUNCTION, leave);
    set(CURLOPT_WRITEFUNCTION, take_bytes);
    set(CURLOPT_READFUNCTION, give_bytes);
    set(CURLOPT_HEADERFUNCTION, take_reply);
  }

  void set_tls() {
    set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    set(CURLOPT_FTPSSLAUTH, static_cast<long>(CURLFTPAUTH_TLS));
    set(CURLOPT_SSLVERSION, settings.tls_1_3 ? long{CURL_SSLVERSION_TLSv1_3}
                                             : long{CURL_SSLVERSION_TLSv1_2} | long{CURL_SSLVERSION_MAX_TLSv1_2});
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (settings.ca_file.empty()) return;
    set(CURLOPT_CAINFO, settings.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }

  void set_login(const Secret& password, const Secret& client_key) {
    std::string text(password.reveal());
    set(CURLOPT_USERNAME, settings.user.c_str());
    set(CURLOPT_PASSWORD, text.c_str());
    wipe(text.data(), text.size());
    if (settings.client_certificate_file.empty()) return;
    const auto key = client_key.reveal();
    curl_blob blob{const_cast<char*>(key.data()), key.size(), CURL_BLOB_COPY};
    set(CURLOPT_SSLCERT, settings.client_certificate_file.c_str());
    set(CURLOPT_SSLKEY_BLOB, &blob);
  }

  // What one call has set is not for the next.
  void begin(const std::string& path, Running& running) {
    set(CURLOPT_UPLOAD, 0L);
    set(CURLOPT_NOBODY, 0L);
    set(CURLOPT_APPEND, 0L);
    set(CURLOPT_RESUME_FROM_LARGE, curl_off_t{0});
    set(CURLOPT_INFILESIZE_LARGE, curl_off_t{-1});
    set(CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
    set(CURLOPT_QUOTE, static_cast<curl_slist*>(nullptr));
    set(CURLOPT_FRESH_CONNECT, 0L);
    set(CURLOPT_URL, (origin + path).c_str());
    for (const auto option :
         {CURLOPT_DEBUGDATA, CURLOPT_XFERINFODATA, CURLOPT_WRITEDATA, CURLOPT_READDATA, CURLOPT_HEADERDATA})
      set(option, &running);
  }

  // Of a transfer. With TLS 1.3 libcurl resumes the session of a control connection on its first data connection for
  // sure, and on others not always (docs/decisions/0047).
  StepResult<void> transfer(Running& running) {
    if (settings.tls_1_3 && std::exchange(spent, true)) set(CURLOPT_FRESH_CONNECT, 1L);
    SP_CHECK(perform(running));
    if (talk.is_answered() && talk.last_code() < 300) return {};
    usable = false;
    return std::unexpected(call_error(CURLE_PARTIAL_FILE, talk));
  }

  // nullopt: ended from here.
  std::optional<CURLcode> drive(Running& running) {
    const auto& curl = libcurl();
    const std::stop_callback wake(running.limits.stop, [this] { libcurl().curl_multi_wakeup(multi.get()); });
    for (;;) {
      int busy = 0, left = 0;
      curl.curl_multi_perform(multi.get(), &busy);
      if (const auto* message = curl.curl_multi_info_read(multi.get(), &left)) return message->data.result;
      if (running.is_over() || running.error) return std::nullopt;
      const auto time = std::chrono::ceil<milliseconds>(running.limits.deadline - SteadyClock::now());
      curl.curl_multi_poll(multi.get(), nullptr, 0, static_cast<int>(std::min(time, kPoll).count()), nullptr);
    }
  }

  StepResult<void> perform(Running& running) {
    if (!good) return step_fail("internal", "libcurl does not take its settings");
    problem[0] = '\0';
    libcurl().curl_multi_add_handle(multi.get(), easy.get());
    const auto code = drive(running);
    libcurl().curl_multi_remove_handle(multi.get(), easy.get());
    secured = running.secured;
    return outcome(code, running);
  }

  StepResult<void> outcome(std::optional<CURLcode> code, Running& running) {
    if (code == CURLE_OK && !running.error && !talk.is_flooded()) return {};
    usable = false;
    if (running.limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (running.error) return std::unexpected(*std::move(running.error));
    if (talk.is_flooded()) return step_fail("format", "the server says more than an answer can hold");
    if (running.is_over()) return step_fail("timeout", "the server did not answer in time");
    return std::unexpected(call_error(code.value_or(CURLE_OK), talk));
  }

  const policy::FtpsConnection& settings;
  std::string origin;
  std::array<char, CURL_ERROR_SIZE> problem{};
  Talk talk;
  bool good = true, usable = true, secured = false;
  bool spent = false;  // a data connection was opened

  std::unique_ptr<CURLM, MultiDeleter> multi{libcurl().curl_multi_init()};  // holds the connections
  std::unique_ptr<CURL, EasyDeleter> easy{libcurl().curl_easy_init()};
};

Wire::Wire(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Wire::~Wire() = default;

StepResult<std::unique_ptr<Wire>> Wire::make(const policy::FtpsConnection& settings, const vault::Vault& vault) {
  SP_TRY(const auto password, to_step(vault.resolve(settings.password)));
  if (std::ranges::any_of(password.reveal(), is_control))
    return step_fail("invalid", "the connection's password has a control character");
  Secret key;
  if (settings.client_key) {
    SP_TRY(key, to_step(vault.resolve(settings.client_key)));
  }
  auto impl = std::make_unique<Impl>(settings);
  impl->set_login(password, key);
  return std::unique_ptr<Wire>(new Wire(std::move(impl)));
}

StepResult<std::vector<Reply>> Wire::ask(std::span<const std::string> commands, const CallLimits& limits) {
  impl_->talk = Talk(commands);
  Running running{impl_->talk, limits};
  Lines lines;
  for (const auto& command : commands) append(lines, "*" + command);  // whatever the answer
  impl_->begin(escaped("/"), running);
  impl_->set(CURLOPT_NOBODY, 1L);
  impl_->set(CURLOPT_QUOTE, lines.get());
  SP_CHECK(impl_->perform(running));
  const auto& replies = impl_->talk.replies();
  if (replies.size() != commands.size()) return step_fail("format", "the server's answers do not fit");
  return replies;
}

StepResult<void> Wire::list(std::string_view command, const std::string& directory, const Take& take,
                            const CallLimits& limits) {
  impl_->talk = Talk();
  Running running{impl_->talk, limits, &take};
  impl_->begin(directory == "/" ? escaped(directory) : escaped(directory) + "/", running);
  impl_->set(CURLOPT_CUSTOMREQUEST, std::string(command).c_str());
  return impl_->transfer(running);
}

StepResult<void> Wire::get(const std::string& path, std::uint64_t from, const Take& take, const CallLimits& limits) {
  impl_->talk = Talk();
  Running running{impl_->talk, limits, &take};
  impl_->begin(escaped(path), running);
  impl_->set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(from));
  return impl_->transfer(running);
}

StepResult<void> Wire::put(const std::string& path, std::uint64_t& at, ByteReader& source, const CallLimits& limits) {
  impl_->talk = Talk();
  Running running{impl_->talk, limits, nullptr, &source, &at};
  impl_->begin(escaped(path), running);
  impl_->set(CURLOPT_UPLOAD, 1L);
  if (at > 0) impl_->set(CURLOPT_APPEND, 1L);
  return impl_->transfer(running);
}

bool Wire::is_usable() const { return impl_->usable; }
const Talk& Wire::last_talk() const { return impl_->talk; }
std::string Wire::last_fault() const { return impl_->problem.data(); }
bool Wire::is_secured() const { return impl_->secured; }

}  // namespace sallyport::connectors::ftps
