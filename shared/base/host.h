#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport {

inline constexpr std::size_t kMaxHostName = 253;  // RFC 1035 section 2.3.4, in text form

// A host name or numeric address in the one form in which they may be compared byte by byte: names in lower case,
// IPv6 as RFC 5952 writes it, without brackets or zone. Looks nothing up. Errc::invalid says what is wrong: no letters,
// digits, hyphens, underscores and dots; an empty label or one over 63 characters; what a resolver would take for an
// IPv4 address though it is not written as four decimal numbers ("127.1", "0x7f.0.0.1", "010.0.0.1").
Result<std::string> canonical_host(std::string_view text);

}  // namespace sallyport
