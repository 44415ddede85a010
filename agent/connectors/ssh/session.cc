#include "agent/connectors/ssh/session.h"

#include "agent/connectors/ssh/library.h"
#include "agent/connectors/ssh/login.h"
#include "agent/connectors/ssh/sftp.h"
#include "agent/connectors/ssh/socket.h"
#include "agent/connectors/translate.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <ranges>
#include <span>

namespace sallyport::connectors::ssh {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kSlice = 50ms;  // of a wait, between looks at the stop
constexpr int kPatience = 3;   // times `keep_alive`

StepResult<void> choose(LIBSSH2_SESSION* session, int what, const std::vector<std::string>& names) {
  const auto list = fmt::format("{}", fmt::join(names, ","));
  if (libssh2_session_method_pref(session, what, list.c_str()) == 0) return {};
  return step_fail("invalid", fmt::format("this agent's libssh2 knows none of {}", list));
}

StepResult<void> choose_all(LIBSSH2_SESSION* session, const policy::SshAlgorithms& algorithms) {
  SP_CHECK(choose(session, LIBSSH2_METHOD_KEX, algorithms.key_exchange));
  SP_CHECK(choose(session, LIBSSH2_METHOD_HOSTKEY, algorithms.host_key));
  for (const int way : {LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC})
    SP_CHECK(choose(session, way, algorithms.ciphers));
  for (const int way : {LIBSSH2_METHOD_MAC_CS, LIBSSH2_METHOD_MAC_SC}) SP_CHECK(choose(session, way, algorithms.macs));
  return choose(session, LIBSSH2_METHOD_SIGN_ALGO, {"rsa-sha2-512", "rsa-sha2-256"});
}

}  // namespace

void Session::Free::operator()(LIBSSH2_SESSION* session) const { libssh2_session_free(session); }

Session::Session(platform::Fd socket, const policy::SshConnection& settings)
    : settings_(settings), socket_(std::move(socket)), session_(libssh2_session_init()) {}

Session::~Session() {
  if (!broken_ && session_) libssh2_session_disconnect(session_.get(), "done");
  cut();
  sftp_.reset();
}

// With its socket shut nothing blocks, and libssh2 frees all at the first call.
void Session::cut() {
  broken_ = true;
  platform::shut_down_socket(socket_.get());
  if (session_) libssh2_session_set_blocking(session_.get(), 1);
}

unsigned long Session::last_answer() const { return sftp_ ? sftp_->last_answer() : LIBSSH2_FX_OK; }

StepResult<std::unique_ptr<Session>> Session::open(const policy::SshConnection& settings, const vault::Vault& vault,
                                                   const CallLimits& limits) {
  SP_CHECK(to_step(prepare_library()));
  const CallLimits connecting{std::min(limits.deadline, SteadyClock::now() + settings.connect_timeout), limits.stop};
  const auto doing = fmt::format("connecting to {}:{}", settings.host, settings.port);
  auto socket = connect_socket(settings.host, settings.port, connecting);
  if (!socket) return step_in_context(doing, std::move(socket).error());
  std::unique_ptr<Session> session(new Session(*std::move(socket), settings));
  if (!session->session_) return step_fail("internal", "out of memory");
  auto begun = session->begin(connecting);
  if (begun) begun = session->check_host_key();
  if (begun) begun = session->log_in(vault, connecting);
  if (begun) return session;
  session->broken_ = true;
  auto error = std::move(begun).error();
  // The deadline of connecting, not that of the step: it may be tried again.
  if (error.error_class() == "timeout" && SteadyClock::now() < limits.deadline) error.classes = {"connection"};
  return step_in_context(doing, std::move(error));
}

StepResult<void> Session::begin(const CallLimits& limits) {
  libssh2_session_set_blocking(raw(), 0);
  SP_CHECK(choose_all(raw(), settings_.algorithms));
  SP_CHECK(drive("agreeing on keys", limits, [&] { return libssh2_session_handshake(raw(), socket_.get()); }));
  const auto every = std::chrono::ceil<std::chrono::seconds>(settings_.keep_alive).count();
  libssh2_keepalive_config(raw(), 1, static_cast<unsigned>(every));
  if (const char* banner = libssh2_session_banner_get(raw()); banner != nullptr) banner_ = banner;
  return {};
}

StepResult<void> Session::check_host_key() {
  std::size_t size = 0;
  int type = 0;
  const char* key = libssh2_session_hostkey(raw(), &size, &type);
  if (key == nullptr) return step_fail("connection", "the server showed no host key");
  host_key_ = policy::fingerprint_of(std::as_bytes(std::span(key, size)));
  if (std::ranges::find(settings_.host_keys, host_key_, &policy::HostKey::fingerprint) != settings_.host_keys.end())
    return {};
  StepError unknown{{"host_key:unknown", "permission"}, {}, {}};
  unknown.message = fmt::format(
      "the server shows the host key {}, and `host_keys` of this connection pins {}: somebody may stand between this "
      "agent and the server. Compare it with what the server's owner says before pinning it",
      host_key_, fmt::join(settings_.host_keys | std::views::transform(&policy::HostKey::fingerprint), ", "));
  return std::unexpected(std::move(unknown));
}

StepResult<void> Session::log_in(const vault::Vault& vault, const CallLimits& limits) {
  return ssh::log_in(*this, settings_, vault, limits);
}

bool Session::is_usable() const {
  using platform::SocketNeed;
  return !broken_ &&
         platform::wait_for_socket(socket_.get(), SocketNeed::reading, 0ns) == platform::SocketState::not_yet;
}

StepResult<Sftp*> Session::sftp(const CallLimits& limits) {
  if (!sftp_) {
    SP_TRY(auto* raw_sftp, make<LIBSSH2_SFTP>("beginning SFTP", limits, [&] { return libssh2_sftp_init(raw()); }));
    sftp_ = std::make_unique<Sftp>(*this, raw_sftp);
    auto entered = sftp_->enter(settings_.root, limits);
    if (!entered) {
      sftp_.reset();
      return std::unexpected(std::move(entered).error());
    }
  }
  return sftp_.get();
}

StepResult<std::size_t> Session::drive(std::string_view doing, const CallLimits& limits, const Attempt& attempt) {
  for (;;) {
    const auto outcome = attempt();
    if (outcome >= 0) return static_cast<std::size_t>(outcome);
    if (outcome != LIBSSH2_ERROR_EAGAIN) {
      auto error = session_error(*this, doing);
      broken_ = broken_ || outcome != LIBSSH2_ERROR_SFTP_PROTOCOL;
      return std::unexpected(std::move(error));
    }
    SP_CHECK(wait(doing, limits));
  }
}

StepResult<void> Session::wait(std::string_view doing, const CallLimits& limits) {
  const auto give_up = [&](std::string error_class, std::string_view why) {
    broken_ = true;
    return step_fail(std::move(error_class), fmt::format("{}: {}", doing, why));
  };
  const auto directions = libssh2_session_block_directions(raw());
  const bool sends = (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
  const auto need = sends ? platform::SocketNeed::either : platform::SocketNeed::reading;
  const auto silent_until = SteadyClock::now() + kPatience * settings_.keep_alive;
  for (;;) {
    if (limits.stop.stop_requested()) return give_up("cancelled", "stopped");
    const auto now = SteadyClock::now();
    if (now >= limits.deadline) return give_up("timeout", "the server did not answer in time");
    if (now >= silent_until) return give_up("connection", "the server has stopped answering");
    const auto state =
        platform::wait_for_socket(socket_.get(), need, std::min<SteadyClock::duration>(kSlice, limits.deadline - now));
    if (state == platform::SocketState::failed) return give_up("connection", "the connection broke");
    if (state == platform::SocketState::ready) return {};
    int next = 0;
    if (!sends) libssh2_keepalive_send(raw(), &next);  // in the middle of another packet it could not
  }
}

}  // namespace sallyport::connectors::ssh
