#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors::ssh {

// Checks "dns", "tcp", "host_key", "login" and "permission": whether the server's files can be entered at `root`.
std::unique_ptr<ConnectionTest> make_ssh_connection_test(Site site);

}  // namespace sallyport::connectors::ssh
