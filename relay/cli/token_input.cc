#include "relay/cli/token_input.h"

#include <fmt/format.h>

#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxToken = 4096;

// While it lives, nothing that is typed is seen, and a signal that would end the program waits until after it.
class HiddenInput {
 public:
  explicit HiddenInput(int fd) : fd_(fd) {
    ::sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&held_, signal);
    ::sigprocmask(SIG_BLOCK, &held_, &mask_before_);
    ::tcgetattr(fd_, &before_);
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(fd_, TCSANOW, &hidden);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    ::tcsetattr(fd_, TCSANOW, &before_);
    ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  // Until a line can be read; false when a signal waits that ends the program.
  bool wait() const {
    const int signals = ::signalfd(-1, &held_, SFD_CLOEXEC);
    std::array<pollfd, 2> fds{pollfd{fd_, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
    while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
    }
    if (signals >= 0) ::close(signals);
    return fds[1].revents == 0;
  }

 private:
  int fd_;
  termios before_{};
  sigset_t held_{}, mask_before_{};
};

std::string read_line(std::FILE* in) {
  std::string line;
  line.reserve(kMaxToken + 1);  // is never moved: no copy is left behind
  for (int c = std::fgetc(in); c != EOF && c != '\n' && line.size() <= kMaxToken; c = std::fgetc(in))
    line += static_cast<char>(c);
  return line;
}

std::string read_hidden_line(std::FILE* in, std::FILE* err) {
  fmt::print(err, "Token: ");
  std::string line;
  {
    const HiddenInput hidden(::fileno(in));
    if (hidden.wait()) line = read_line(in);
  }
  fmt::print(err, "\n");
  return line;
}

}  // namespace

Result<Secret> token_of(std::string text, std::string_view place) {
  const std::string_view all(text);
  const auto first = all.find_first_not_of(" \t\r\n"), last = all.find_last_not_of(" \t\r\n");
  std::string token(first == std::string_view::npos ? "" : all.substr(first, last - first + 1));
  wipe(text.data(), text.size());
  const bool plain = std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (plain && token.size() <= kMaxToken) return Secret::take(token);
  wipe(token.data(), token.size());
  return fail(Errc::invalid, fmt::format("{} holds no token: a token is one word of plain characters", place));
}

Result<Secret> read_token(std::FILE* in, std::FILE* err) {
  const bool terminal = ::isatty(::fileno(in)) == 1;
  SP_TRY(auto token, token_of(terminal ? read_hidden_line(in, err) : read_line(in), "standard input"));
  if (token.empty()) return fail(Errc::invalid, "no token on standard input");
  return token;
}

}  // namespace sallyport::cli
