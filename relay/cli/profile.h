#pragma once

#include "relay/cli/client.h"
#include "relay/cli/context.h"

#include <string>

namespace sallyport::cli {

// A PEM file with a certificate. Errc::invalid: it cannot be read, or holds none.
Result<std::string> read_root(const std::string& path);

// The login of this person on this machine: a file with mode 0600 below $XDG_CONFIG_HOME/sallyport (or
// ~/.config/sallyport). SALLYPORT_RELAY, SALLYPORT_TOKEN and SALLYPORT_ROOT (a PEM file) replace its parts, for
// programs; the login's token goes to the login's relay only. Errc::unauthenticated says how to log in when there is
// nothing; a file that others can read is refused. What cannot be right on this machine (an address, a root, a file
// that cannot be written) is Errc::invalid, never unavailable: that is for relays.
Result<Endpoint> load_endpoint(const Context& context);
Result<std::string> save_login(const Context& context, const Endpoint& endpoint);  // gives the file's path
Result<void> forget_login(const Context& context);

}  // namespace sallyport::cli
