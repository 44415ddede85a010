#pragma once

#include "relay/cli/client.h"

namespace sallyport::cli {

// How every connection to a relay is made: HTTPS by TLS 1.2 at least against the deployment's root alone, through the
// proxy of the environment but never to a relay on this machine. `handle` is a CURL easy handle without options;
// `url` and `problem` (CURL_ERROR_SIZE bytes) have to outlive its use.
void set_transport(void* handle, const Endpoint& endpoint, const std::string& url, char* problem);

// What went wrong; `code` is a CURLcode.
Error transport_error(int code, const char* problem, const std::string& url);

}  // namespace sallyport::cli
