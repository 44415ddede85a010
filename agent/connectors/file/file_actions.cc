#include "agent/connectors/file/file_actions.h"

#include "agent/connectors/file/file_actions_parts.h"

namespace sallyport::connectors::file {

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  for (auto* make : {make_read, make_list, make_write, make_move, make_delete}) actions.push_back(make(site));
  return actions;
}

}  // namespace sallyport::connectors::file
