#include "agent/connectors/remote/remote_actions_parts.h"

#include <fmt/format.h>

namespace sallyport::connectors::remote {

StepResult<Output> RemoteAction::run(const StepContext& context, const Value& values) {
  SP_TRY(auto access, Access::open(site_, *servers_, context, name_));
  return run_on(access, Arguments(values));
}

std::vector<std::unique_ptr<Action>> make_actions(const Site& site, const std::shared_ptr<const Servers>& servers,
                                                  std::string_view prefix) {
  std::vector<std::unique_ptr<Action>> actions;
  const auto add = [&](auto* make, std::string_view verb) {
    actions.push_back(make(site, servers, fmt::format("{}.{}@1", prefix, verb)));
  };
  add(make_get, "get");
  add(make_put, "put");
  add(make_list, "list");
  add(make_move, "move");
  add(make_delete, "delete");
  return actions;
}

}  // namespace sallyport::connectors::remote
