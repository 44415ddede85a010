#include "agent/connectors/ssh/ssh_actions.h"

#include "agent/connectors/ssh/ssh_actions_parts.h"

namespace sallyport::connectors::ssh {

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  const auto servers = std::make_shared<const Servers>(site);
  std::vector<std::unique_ptr<Action>> actions;
  for (auto* make : {make_get, make_put, make_list, make_move, make_delete, make_run})
    actions.push_back(make(site, servers));
  return actions;
}

}  // namespace sallyport::connectors::ssh
