#include "agent/connectors/ssh/remote_program.h"

#include "agent/connectors/translate.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace sallyport::connectors::ssh {
namespace {

constexpr std::string_view kDoing = "the command";

// RFC 4254 section 6.10.
struct SignalName {
  std::string_view name;
  int number;
};
constexpr std::array kSignals{SignalName{"HUP", 1},   SignalName{"INT", 2},   SignalName{"QUIT", 3},
                              SignalName{"ILL", 4},   SignalName{"ABRT", 6},  SignalName{"FPE", 8},
                              SignalName{"KILL", 9},  SignalName{"USR1", 10}, SignalName{"SEGV", 11},
                              SignalName{"USR2", 12}, SignalName{"PIPE", 13}, SignalName{"ALRM", 14},
                              SignalName{"TERM", 15}};

int number_of(std::string_view signal) {
  const auto* found = std::ranges::find(kSignals, signal, &SignalName::name);
  return found == kSignals.end() ? 0 : found->number;
}

}  // namespace

std::string shell_line(std::span<const std::string> argv) {
  std::string line;
  for (const auto& argument : argv) {
    line += line.empty() ? "'" : " '";
    for (const char c : argument) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

RemoteProgram::~RemoteProgram() {
  if (channel_ == nullptr) return;
  if (!ended_ && !session_.is_broken()) {
    using namespace std::chrono_literals;
    const CallLimits soon{std::chrono::steady_clock::now() + 500ms, {}};
    (void)session_.drive(kDoing, soon, [&] { return libssh2_channel_signal(channel_, "KILL"); });
    if (!session_.is_broken()) (void)session_.drive(kDoing, soon, [&] { return libssh2_channel_close(channel_); });
  }
  session_.cut();
  libssh2_channel_free(channel_);
}

StepResult<void> RemoteProgram::start(const std::string& line, const CallLimits& limits) {
  SP_TRY(channel_, session_.make<LIBSSH2_CHANNEL>("opening a channel", limits,
                                                  [&] { return libssh2_channel_open_session(session_.raw()); }));
  auto begun = session_.drive("starting the command", limits, [&] {
    return libssh2_channel_process_startup(channel_, "exec", 4, line.c_str(), static_cast<unsigned>(line.size()));
  });
  if (begun) return {};
  auto error = std::move(begun).error();
  if (error.error_class() != "permission") error.classes.insert(error.classes.begin(), "in_doubt");
  return std::unexpected(std::move(error));
}

StepResult<RemoteEnd> RemoteProgram::finish(platform::ProcessInput& input, platform::ProcessOutput& output,
                                            const CallLimits& limits) {
  for (;;) {
    SP_TRY(const bool took, take(0, output));
    SP_TRY(const bool complained, take(SSH_EXTENDED_DATA_STDERR, output));
    SP_TRY(const bool gave, give(input));
    if (took || complained) continue;
    if (libssh2_channel_eof(channel_) != 0) return close(limits);
    if (!gave) SP_CHECK(session_.wait(kDoing, limits));
  }
}

// Whether something came.
StepResult<bool> RemoteProgram::take(int stream, platform::ProcessOutput& output) {
  std::array<char, 65536> buffer;
  const auto got = libssh2_channel_read_ex(channel_, stream, buffer.data(), buffer.size());
  if (got == LIBSSH2_ERROR_EAGAIN || got == 0) return false;
  if (got < 0) {
    auto error = session_error(session_, kDoing);
    session_.cut();
    return std::unexpected(std::move(error));
  }
  const auto bytes = std::as_bytes(std::span(buffer).first(static_cast<std::size_t>(got)));
  SP_CHECK(to_step(stream == 0 ? output.take_stdout(bytes) : output.take_stderr(bytes)));
  return true;
}

// Whether something went. A program that does not read its input to the end is none the worse for it.
StepResult<bool> RemoteProgram::give(platform::ProcessInput& input) {
  if (input_ == Input::open && piece_.empty()) {
    SP_TRY(piece_, to_step(input.next_piece()));
    if (piece_.empty()) input_ = Input::ended;
  }
  if (input_ == Input::ended && libssh2_channel_send_eof(channel_) != LIBSSH2_ERROR_EAGAIN) input_ = Input::closed;
  if (input_ != Input::open) return false;
  const auto sent = libssh2_channel_write_ex(channel_, 0, reinterpret_cast<const char*>(piece_.data()), piece_.size());
  if (sent == LIBSSH2_ERROR_EAGAIN) return false;
  if (sent < 0) {
    input_ = Input::closed;
    return false;
  }
  piece_ = piece_.subspan(static_cast<std::size_t>(sent));
  return sent > 0;
}

StepResult<RemoteEnd> RemoteProgram::close(const CallLimits& limits) {
  SP_CHECK(session_.drive(kDoing, limits, [&] { return libssh2_channel_close(channel_); }));
  SP_CHECK(session_.drive(kDoing, limits, [&] { return libssh2_channel_wait_closed(channel_); }));
  ended_ = true;
  RemoteEnd end{libssh2_channel_get_exit_status(channel_), std::nullopt};
  char* signal = nullptr;
  libssh2_channel_get_exit_signal(channel_, &signal, nullptr, nullptr, nullptr, nullptr, nullptr);
  if (signal != nullptr) {
    end.signal = number_of(signal);
    libssh2_free(session_.raw(), signal);
  }
  return end;
}

}  // namespace sallyport::connectors::ssh
