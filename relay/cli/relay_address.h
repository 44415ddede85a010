#pragma once

#include "shared/base/result.h"

#include <string>
#include <string_view>

// Where a relay is, as people write it. No IO.
namespace sallyport::cli {

// "https://relay.example:8443", also with a path below it, without the slashes at its end. Errc::invalid: no such
// address; the message, to be put after the place's name, says what is taken, and not the text: there may be a password
// in it.
Result<std::string> relay_address(std::string_view text);

// Whether an address that relay_address() gave is on this machine: "localhost", 127.0.0.0/8 or [::1]. No proxy can
// reach what is meant by it.
bool is_loopback(const std::string& address);

}  // namespace sallyport::cli
