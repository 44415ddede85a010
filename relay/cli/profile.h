#pragma once

#include "relay/cli/client.h"
#include "relay/cli/context.h"

#include <string>

namespace sallyport::cli {

// The login of this person on this machine: a file with mode 0600 below $XDG_CONFIG_HOME/sallyport (or
// ~/.config/sallyport). SALLYPORT_RELAY, SALLYPORT_TOKEN and SALLYPORT_ROOT (a PEM file) replace its parts, for
// programs. Errc::unauthenticated says how to log in when there is nothing; a file that others can read is refused.
Result<Endpoint> load_endpoint(const Context& context);
Result<std::string> save_login(const Context& context, const Endpoint& endpoint);  // gives the file's path
Result<void> forget_login(const Context& context);

}  // namespace sallyport::cli
