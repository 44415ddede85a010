#pragma once

#include <string>
#include <string_view>

namespace sallyport {

// Percent-encodes everything but unreserved characters (RFC 3986 §2.3): for a path segment, a query value, a user name.
std::string percent_encode(std::string_view text);

}  // namespace sallyport
