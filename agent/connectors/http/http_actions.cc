#include "agent/connectors/http/http_actions.h"

#include "agent/connectors/http/http_actions_parts.h"

namespace sallyport::connectors::http {

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  const auto clients = std::make_shared<const Clients>(site);
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(make_request_action(site, clients));
  actions.push_back(make_pages_action(site, clients));
  return actions;
}

}  // namespace sallyport::connectors::http
