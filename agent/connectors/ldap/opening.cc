#include "agent/connectors/ldap/opening.h"

#include "agent/connectors/dial.h"
#include "agent/connectors/ldap/libldap.h"
#include "agent/connectors/ldap/result_code.h"
#include "agent/connectors/translate.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace sallyport::connectors::ldap {
namespace {

using Clock = std::chrono::steady_clock;
using policy::LdapSecurity;

constexpr int kTcp = 1;  // LDAP_PROTO_TCP
constexpr ber_len_t kLargestMessage = 8u << 20;
constexpr const char* kSystemStore = "/etc/ssl/certs/ca-certificates.crt";

std::string url_of(const policy::LdapConnection& settings) {
  const bool address = settings.host.contains(':');
  return fmt::format("ldap://{}{}{}:{}", address ? "[" : "", settings.host, address ? "]" : "", settings.port);
}

Sockbuf* buffer_of(LDAP* connection) {
  Sockbuf* buffer = nullptr;
  libldap().ldap_get_option(connection, LDAP_OPT_SOCKBUF, static_cast<void*>(&buffer));
  return buffer;
}

// Options of this one connection; a fault in any counts.
class Options {
 public:
  explicit Options(LDAP* connection) : connection_(connection) {}
  void number(int option, int value) { set(option, &value); }
  void text(int option, const char* value) { set(option, value); }
  void set(int option, const void* value) {
    good_ = libldap().ldap_set_option(connection_, option, value) == LDAP_OPT_SUCCESS && good_;
  }
  bool good() const { return good_; }

 private:
  LDAP* connection_;
  bool good_ = true;
};

// Each of these could come from ldap.conf or the environment otherwise.
bool set_tls_options(LDAP* connection, const std::string& ca_file) {
  Options options(connection);
  for (const int option : {LDAP_OPT_X_TLS_CACERTDIR, LDAP_OPT_X_TLS_CERTFILE, LDAP_OPT_X_TLS_KEYFILE,
                           LDAP_OPT_X_TLS_CIPHER_SUITE, LDAP_OPT_X_TLS_CRLFILE})
    options.text(option, nullptr);
  options.text(LDAP_OPT_X_TLS_CACERTFILE, ca_file.empty() ? kSystemStore : ca_file.c_str());
  options.number(LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND);
  options.number(LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2);
  options.number(LDAP_OPT_X_TLS_NEWCTX, 0);  // last: made of the others
  return options.good();
}

}  // namespace

Opening::Opening(const policy::LdapConnection& settings, const CallLimits& limits)
    : settings_(settings), limits_{std::min(limits.deadline, Clock::now() + settings.connect_timeout), limits.stop} {}

std::string Opening::doing(std::string_view what) const {
  return fmt::format("{} {}:{}", what, settings_.host, settings_.port);
}

std::string Opening::reason() const {
  int code = LDAP_SUCCESS;
  char* text = nullptr;
  libldap().ldap_get_option(session_->connection_.get(), LDAP_OPT_RESULT_CODE, &code);
  libldap().ldap_get_option(session_->connection_.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, static_cast<void*>(&text));
  std::string reason = text == nullptr || *text == '\0' ? libldap().ldap_err2string(code) : text;
  libldap().ldap_memfree(text);
  return reason;
}

StepResult<void> Opening::dial() {
  if (const auto loaded = load_libldap(); !loaded) return step_fail("connection", loaded.error().message);
  SP_TRY(auto socket, connectors::dial(settings_.host, settings_.port, limits_));
  auto kept = platform::duplicate_socket(socket.get());
  LDAP* raw = nullptr;
  if (!kept || libldap().ldap_init_fd(socket.get(), kTcp, url_of(settings_).c_str(), &raw) != LDAP_SUCCESS)
    return step_fail("connection", doing("out of memory or files on the way to"));
  socket.release();  // libldap's now
  session_.reset(new Session(LdapOwner(raw), std::move(kept)));
  return set_options();
}

StepResult<void> Opening::set_options() {
  LDAP* const connection = session_->connection_.get();
  Options options(connection);
  options.number(LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3);
  options.set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  options.number(LDAP_OPT_DEREF, LDAP_DEREF_NEVER);
  options.number(LDAP_OPT_SIZELIMIT, LDAP_NO_LIMIT);
  options.number(LDAP_OPT_TIMELIMIT, LDAP_NO_LIMIT);
  const timeval never{-1, -1};
  options.set(LDAP_OPT_TIMEOUT, &never);
  ber_len_t largest = kLargestMessage;
  const bool bounded = libldap().ber_sockbuf_ctrl(buffer_of(connection), LBER_SB_OPT_SET_MAX_INCOMING, &largest) > 0;
  if (!options.good() || !bounded) return step_fail("internal", "the client library does not take its settings");
  return {};
}

StepResult<void> Opening::secure() {
  if (settings_.security == LdapSecurity::none) return {};
  if (!set_tls_options(session_->connection_.get(), settings_.ca_file))
    return step_fail("invalid", fmt::format("TLS cannot be set up with the CA certificates of {}",
                                            settings_.ca_file.empty() ? kSystemStore : settings_.ca_file));
  if (settings_.security == LdapSecurity::starttls) SP_CHECK(start_tls());
  return install_tls();
}

StepResult<void> Opening::start_tls() {
  int id = 0;
  const int sent = libldap().ldap_start_tls(session_->connection_.get(), nullptr, nullptr, &id);
  auto answer = session_->answer_to(sent, id, doing("StartTLS with"), limits_);
  if (answer.answered) return answer.result;
  return answer.result.error().error_class() == "timeout"
             ? step_fail("connection", doing("StartTLS with") + ": the server did not answer in time")
             : answer.result;
}

// With GnuTLS the library reads until the handshake is over, whatever limits it is given, and spins on a socket that
// does not block: here the socket blocks, and is cut.
StepResult<void> Opening::install_tls() {
  LDAP* const connection = session_->connection_.get();
  const timeval never{-1, -1};
  libldap().ldap_set_option(connection, LDAP_OPT_NETWORK_TIMEOUT, &never);
  set_waiting(Waiting::blocks);
  int installed = 0;
  {
    const CutAtLimits cut(session_->socket_.get(), limits_);
    installed = libldap().ldap_install_tls(connection);
  }
  set_waiting(Waiting::returns);
  if (limits_.stop.stop_requested()) return step_fail("cancelled", "stopped");
  if (installed == LDAP_SUCCESS) return {};
  const bool late = Clock::now() >= limits_.deadline;
  return step_fail("connection", doing("TLS with") + ": " + (late ? "the server did not answer in time" : reason()));
}

void Opening::set_waiting(Waiting waiting) {
  libldap().ber_sockbuf_ctrl(buffer_of(session_->connection_.get()), LBER_SB_OPT_SET_NONBLOCK,
                             waiting == Waiting::blocks ? nullptr : static_cast<void*>(this));
}

StepResult<void> Opening::log_in(const vault::Vault& vault) {
  Secret password;
  if (!settings_.bind_dn.empty()) {
    SP_TRY(password, to_step(vault.resolve(settings_.password)));
    if (password.empty()) return step_fail("permission", "the password is empty: a server would take that for nobody");
  }
  const auto word = password.reveal();
  const berval secret{word.size(), const_cast<char*>(word.data())};
  int id = 0;
  const int sent = libldap().ldap_sasl_bind(session_->connection_.get(), settings_.bind_dn.c_str(), LDAP_SASL_SIMPLE,
                                            const_cast<berval*>(&secret), nullptr, nullptr, &id);
  auto answer = session_->answer_to(sent, id, doing("logging in to"), limits_);
  if (answer.result) return {};
  auto& error = answer.result.error();
  if (!answer.answered && error.error_class() == "timeout") error.classes = {"connection"};
  if (const auto why = login_reason(reason()); !why.empty()) error.message += fmt::format(", {}", why);
  return answer.result;
}

StepResult<std::unique_ptr<Session>> Session::open(const policy::LdapConnection& settings, const vault::Vault& vault,
                                                   const CallLimits& limits) {
  Opening opening(settings, limits);
  SP_CHECK(opening.dial());
  SP_CHECK(opening.secure());
  SP_CHECK(opening.log_in(vault));
  return opening.take();
}

}  // namespace sallyport::connectors::ldap
