#pragma once

#include "shared/base/result.h"

#include <cstddef>
#include <string_view>

namespace sallyport::outbound {

// A credential or name that goes into a header or a URL: 1 to `most` characters, printable ASCII without spaces.
// Errc::invalid, with `what` it is and never what it says.
Result<void> check_word(std::string_view what, std::string_view text, std::size_t most);
// The same, of letters, digits and `others` only.
Result<void> check_name(std::string_view what, std::string_view text, std::size_t most, std::string_view others);

}  // namespace sallyport::outbound
