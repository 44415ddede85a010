#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::sql {

// Text as ODBC's wide functions take it: UTF-16 of this machine. A byte that is no UTF-8 becomes U+FFFD.
std::vector<unsigned short> to_utf16(std::string_view text);
// nullopt: a surrogate without its other half.
std::optional<std::string> from_utf16(const unsigned short* units, std::size_t count);

}  // namespace sallyport::connectors::sql
