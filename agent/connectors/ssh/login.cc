#include "agent/connectors/ssh/login.h"

#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace sallyport::connectors::ssh {
namespace {

// Text that ends with NUL, for C, and is wiped.
class Terminated {
 public:
  explicit Terminated(const Secret& secret) : text_(secret.reveal()) {}
  ~Terminated() { wipe(text_.data(), text_.size()); }
  Terminated(const Terminated&) = delete;
  Terminated& operator=(const Terminated&) = delete;
  const char* get() const { return text_.c_str(); }
  unsigned size() const { return static_cast<unsigned>(text_.size()); }

 private:
  std::string text_;
};

class Login {
 public:
  Login(Session& session, const policy::SshConnection& settings, const vault::Vault& vault, const CallLimits& limits)
      : session_(session), settings_(settings), vault_(vault), limits_(limits) {}

  StepResult<void> run() {
    SP_TRY(auto methods, taken_methods());
    const auto takes = [&](std::string_view method) {
      return ("," + methods + ",").contains(fmt::format(",{},", method));
    };
    StepResult<void> offered;
    if (!is_done() && settings_.key && takes("publickey")) {
      SP_CHECK(settle(offered, offer_key()));
      methods += ",password,keyboard-interactive";  // a server may take them only now
    }
    if (!is_done() && settings_.password && takes("password")) SP_CHECK(settle(offered, offer_password()));
    if (!is_done() && settings_.password && takes("keyboard-interactive"))
      SP_CHECK(settle(offered, answer_questions()));
    if (is_done()) return {};
    if (!offered) return offered;
    return step_fail("permission",
                     fmt::format("the server takes only {}, which this connection does not have", methods));
  }

 private:
  bool is_done() const { return libssh2_userauth_authenticated(session_.raw()) != 0; }
  const char* user() const { return settings_.user.c_str(); }
  unsigned user_size() const { return static_cast<unsigned>(settings_.user.size()); }

  // "publickey,password". What a server lets in without any is logged in already.
  StepResult<std::string> taken_methods() {
    auto list = session_.make<char>("asking how to log in", limits_, [&]() -> char* {
      char* text = libssh2_userauth_list(session_.raw(), user(), user_size());
      static char nothing[] = "";
      return text == nullptr && is_done() ? nothing : text;
    });
    if (!list) return std::unexpected(std::move(list).error());
    return std::string(*list);
  }

  // A refusal is kept, because another method may follow, or the server may only want more; all else ends the login.
  StepResult<void> settle(StepResult<void>& offered, StepResult<void> outcome) {
    if (!outcome && outcome.error().error_class() != "permission") return outcome;
    offered = std::move(outcome);
    return {};
  }

  StepResult<void> attempt(std::string_view doing, const Session::Attempt& call) {
    auto outcome = session_.drive(doing, limits_, [&]() -> std::ptrdiff_t {
      const auto code = call();
      refused_ = code == LIBSSH2_ERROR_AUTHENTICATION_FAILED || code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
      return refused_ ? 0 : code;
    });
    if (!outcome) return std::unexpected(std::move(outcome).error());
    if (refused_) return step_fail("permission", fmt::format("{}: the server refused it", doing));
    return {};
  }

  StepResult<void> offer_key() {
    SP_TRY(const auto key, to_step(vault_.resolve(settings_.key)));
    Secret passphrase;
    if (settings_.key_passphrase) {
      SP_TRY(passphrase, to_step(vault_.resolve(settings_.key_passphrase)));
    }
    const Terminated phrase(passphrase);
    return attempt("logging in with the private key", [&] {
      return libssh2_userauth_publickey_frommemory(session_.raw(), user(), user_size(), nullptr, 0, key.reveal().data(),
                                                   key.size(), phrase.get());
    });
  }

  StepResult<void> offer_password() {
    SP_TRY(const auto password, to_step(vault_.resolve(settings_.password)));
    const Terminated text(password);
    return attempt("logging in with the password", [&] {
      return libssh2_userauth_password_ex(session_.raw(), user(), user_size(), text.get(), text.size(), nullptr);
    });
  }

  StepResult<void> answer_questions() {
    SP_TRY(const auto password, to_step(vault_.resolve(settings_.password)));
    const Terminated text(password);
    *libssh2_session_abstract(session_.raw()) = const_cast<Terminated*>(&text);
    auto outcome = attempt("logging in by answering questions", [&] {
      return libssh2_userauth_keyboard_interactive_ex(session_.raw(), user(), user_size(), answer);
    });
    *libssh2_session_abstract(session_.raw()) = nullptr;
    return outcome;
  }

  // Every question gets the password; libssh2 frees the answers.
  static void answer(const char*, int, const char*, int, int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT*,
                     LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, void** abstract) {
    const auto& text = *static_cast<const Terminated*>(*abstract);
    for (auto& response : std::span(responses, static_cast<std::size_t>(count))) {
      response.text = ::strdup(text.get());
      response.length = response.text == nullptr ? 0 : text.size();
    }
  }

  Session& session_;
  const policy::SshConnection& settings_;
  const vault::Vault& vault_;
  const CallLimits& limits_;
  bool refused_ = false;
};

}  // namespace

StepResult<void> log_in(Session& session, const policy::SshConnection& settings, const vault::Vault& vault,
                        const CallLimits& limits) {
  return Login(session, settings, vault, limits).run();
}

}  // namespace sallyport::connectors::ssh
