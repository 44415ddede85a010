#include "relay/store/connections.h"

namespace sallyport::store {

std::string connection_record(const AgentId& agent, std::string_view name) {
  return std::string(agent.value).append("/").append(name);
}

}  // namespace sallyport::store
