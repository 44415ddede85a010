#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/ssh/pool.h"

#include <memory>

namespace sallyport::connectors::ssh {

using ServersPtr = std::shared_ptr<const Servers>;
std::unique_ptr<Action> make_get(Site site, ServersPtr servers);
std::unique_ptr<Action> make_put(Site site, ServersPtr servers);
std::unique_ptr<Action> make_list(Site site, ServersPtr servers);
std::unique_ptr<Action> make_move(Site site, ServersPtr servers);
std::unique_ptr<Action> make_delete(Site site, ServersPtr servers);
std::unique_ptr<Action> make_run(Site site, ServersPtr servers);

}  // namespace sallyport::connectors::ssh
