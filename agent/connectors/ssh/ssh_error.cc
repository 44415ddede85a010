#include "agent/connectors/ssh/session.h"
#include "agent/connectors/ssh/sftp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <libssh2_sftp.h>

namespace sallyport::connectors::ssh {
namespace {

struct Meaning {
  long code;
  const char* error_class;
  const char* text;
};

// draft-ietf-secsh-filexfer-13 section 9.1. Version 3, which servers speak, has only the first nine; the others come
// from some of them all the same.
constexpr std::array kAnswers{
    Meaning{LIBSSH2_FX_NO_SUCH_FILE, "not_found", "it is not there"},
    Meaning{LIBSSH2_FX_NO_SUCH_PATH, "not_found", "its directory is not there"},
    Meaning{LIBSSH2_FX_PERMISSION_DENIED, "permission", "the server does not permit it"},
    Meaning{LIBSSH2_FX_WRITE_PROTECT, "permission", "it is read-only there"},
    Meaning{LIBSSH2_FX_FILE_ALREADY_EXISTS, "constraint", "it exists already"},
    Meaning{LIBSSH2_FX_DIR_NOT_EMPTY, "constraint", "the directory is not empty"},
    Meaning{LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM, "disk_full", "the server's disk is full"},
    Meaning{LIBSSH2_FX_QUOTA_EXCEEDED, "disk_full", "the quota there is used up"},
    Meaning{LIBSSH2_FX_OP_UNSUPPORTED, "invalid", "the server cannot do it"},
};

constexpr std::array kFailures{
    Meaning{LIBSSH2_ERROR_AUTHENTICATION_FAILED, "permission", "the server refused the login"},
    Meaning{LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, "permission", "the server refused the private key"},
    Meaning{LIBSSH2_ERROR_PASSWORD_EXPIRED, "permission", "the password has expired"},
    Meaning{LIBSSH2_ERROR_FILE, "invalid", "the private key cannot be read: wrong passphrase, or no key"},
    Meaning{LIBSSH2_ERROR_ALLOC, "internal", "out of memory"},
    Meaning{LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED, "permission", "the server refused the request"},
    Meaning{LIBSSH2_ERROR_METHOD_NONE, "connection", "the server has no algorithm that this connection may use"},
    Meaning{LIBSSH2_ERROR_KEX_FAILURE, "connection", "the server has no algorithm that this connection may use"},
    Meaning{LIBSSH2_ERROR_SOCKET_DISCONNECT, "connection", "the server closed the connection"},
};

template <std::size_t n>
const Meaning* meaning_of(const std::array<Meaning, n>& table, long code) {
  const auto* found = std::ranges::find(table, code, &Meaning::code);
  return found == table.end() ? nullptr : found;
}

}  // namespace

StepError session_error(const Session& session, std::string_view doing) {
  const auto told = [&](const char* error_class, std::string_view text) {
    return StepError{{error_class}, fmt::format("{}: {}", doing, text), {}};
  };
  const int code = libssh2_session_last_errno(session.raw());
  if (code == LIBSSH2_ERROR_SFTP_PROTOCOL) {
    const auto answer = static_cast<long>(session.last_answer());
    if (const auto* meaning = meaning_of(kAnswers, answer)) return told(meaning->error_class, meaning->text);
    if (answer != LIBSSH2_FX_OK) return told("connection", fmt::format("the server failed (SFTP status {})", answer));
  }
  if (const auto* meaning = meaning_of(kFailures, code)) return told(meaning->error_class, meaning->text);
  char* text = nullptr;
  libssh2_session_last_error(session.raw(), &text, nullptr, 0);  // a constant of the library
  return told("connection", text == nullptr ? "it failed" : text);
}

}  // namespace sallyport::connectors::ssh
