#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/ssh/pool.h"
#include "agent/connectors/ssh/ssh_actions.h"

#include <memory>

namespace sallyport::connectors::ssh {

std::unique_ptr<Action> make_run(Site site, ServersPtr servers);

}  // namespace sallyport::connectors::ssh
