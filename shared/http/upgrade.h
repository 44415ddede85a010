#pragma once

#include "shared/http/types.h"

#include <string_view>

namespace sallyport::http {

// Whether a request asks for `protocol` and for nothing else (RFC 9110 section 7.8): a GET without Content-Length,
// Transfer-Encoding and Expect, with the option `upgrade` in Connection, whose one Upgrade field names `protocol`,
// perhaps among others. Names of protocols compare without case, their versions exactly. Stricter than the RFC, which
// would allow a body. No IO.
bool asks_for(const RequestHead& head, std::string_view protocol);

// The answer to a request that should have: 426, naming the protocol in Upgrade.
Response upgrade_required(std::string_view protocol);

}  // namespace sallyport::http
