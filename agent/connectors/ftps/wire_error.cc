#include "agent/connectors/ftps/wire_error.h"

#include "agent/connectors/libcurl.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors::ftps {
namespace {

struct Meaning {
  CURLcode code;
  const char* error_class;
  const char* text;
};

constexpr std::array kOfTls{
    Meaning{CURLE_USE_SSL_FAILED, "connection", "the server does not secure the connection with TLS"},
    Meaning{CURLE_PEER_FAILED_VERIFICATION, "connection", "the server's certificate is not trusted, or not for it"},
    Meaning{CURLE_SSL_CONNECT_ERROR, "connection", "TLS with the server failed"},
    Meaning{CURLE_SSL_CERTPROBLEM, "invalid", "the client certificate or its key cannot be used"},
    Meaning{CURLE_SSL_CACERT_BADFILE, "invalid", "the file of trusted certificates cannot be used"},
    Meaning{CURLE_NOT_BUILT_IN, "invalid", "this machine's libcurl cannot do it"},
};
constexpr std::array kOthers{
    Meaning{CURLE_LOGIN_DENIED, "permission", "the server refused the login"},
    Meaning{CURLE_OPERATION_TIMEDOUT, "connection", "the server was silent for too long"},
    Meaning{CURLE_WEIRD_SERVER_REPLY, "format", "the server's answer is not sound"},
    Meaning{CURLE_FTP_WEIRD_PASS_REPLY, "format", "the server's answer is not sound"},
    Meaning{CURLE_FTP_WEIRD_PASV_REPLY, "format", "the server's answer is not sound"},
    Meaning{CURLE_FTP_WEIRD_227_FORMAT, "format", "the server's answer is not sound"},
    Meaning{CURLE_BAD_DOWNLOAD_RESUME, "changed", "the file is shorter than it was"},
    Meaning{CURLE_OUT_OF_MEMORY, "internal", "out of memory"},
};

template <std::size_t n>
const Meaning* meaning_of(const std::array<Meaning, n>& table, CURLcode code) {
  const auto* found = std::ranges::find(table, code, &Meaning::code);
  return found == table.end() ? nullptr : found;
}

StepError told(const Meaning& meaning) { return {{meaning.error_class}, meaning.text, {}}; }

}  // namespace

StepError call_error(CURLcode code, const Talk& talk) {
  if (const auto* meaning = meaning_of(kOfTls, code)) return told(*meaning);
  if (talk.is_answered() && talk.last_code() >= 400) return reply_error(talk.last_code(), Asking::work);
  if (const auto* meaning = meaning_of(kOthers, code)) return told(*meaning);
  return {{"connection"}, libcurl().curl_easy_strerror(code), {}};
}

}  // namespace sallyport::connectors::ftps
