#include "agent/connectors/http/transfer_error.h"

#include "agent/connectors/libcurl.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

struct Meaning {
  CURLcode code;
  std::string_view error_class;
  bool quotes_server = false;
};

constexpr std::array kMeanings{
    Meaning{CURLE_OPERATION_TIMEDOUT, "timeout"},
    Meaning{CURLE_LOGIN_DENIED, "permission"},
    Meaning{CURLE_AUTH_ERROR, "permission"},
    Meaning{CURLE_WEIRD_SERVER_REPLY, "format", true},
    Meaning{CURLE_UNSUPPORTED_PROTOCOL, "format", true},  // HTTP/0.9
    Meaning{CURLE_BAD_CONTENT_ENCODING, "format", true},
    Meaning{CURLE_OUT_OF_MEMORY, "too_large", true},  // a header line over libcurl's own limit
    Meaning{CURLE_SSL_CERTPROBLEM, "invalid"},
    Meaning{CURLE_SSL_CACERT_BADFILE, "invalid"},
    Meaning{CURLE_NOT_BUILT_IN, "invalid"},
    Meaning{CURLE_SEND_FAIL_REWIND, "connection", true},
    Meaning{CURLE_GOT_NOTHING, "connection", true},
    Meaning{CURLE_PARTIAL_FILE, "connection", true},
};

}  // namespace

TransferFault to_transfer_fault(CURLcode code, const char* problem) {
  const auto known = std::ranges::find(kMeanings, code, &Meaning::code);
  const std::string error_class(known == kMeanings.end() ? "connection" : known->error_class);
  const std::string general = libcurl().curl_easy_strerror(code);
  if (known != kMeanings.end() && known->quotes_server)
    return {{{error_class}, "the server's answer is not sound: " + general, {}}, false};
  return {{{error_class}, *problem == '\0' ? general : std::string(problem), {}}, true};
}

}  // namespace sallyport::connectors::http
