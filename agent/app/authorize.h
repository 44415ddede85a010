#pragma once

#include "agent/policy/config.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <functional>
#include <string>

namespace sallyport::app {

// A person authorizes a connection with `grant: authorization_code` at this machine: `show` is given the address to
// open in a browser, `ask` gives the address that the browser was sent back to, and the refresh token is kept. Works
// beside an agent that runs. Errors: not_found and invalid for connections that take none; what the server says.
Result<void> authorize_connection(const policy::Config& config, const std::string& name, const Clock& clock,
                                  const std::function<void(const std::string&)>& show,
                                  const std::function<std::string()>& ask);

}  // namespace sallyport::app
