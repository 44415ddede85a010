#include "relay/store/system_keys.h"

#include <fmt/format.h>

namespace sallyport::store {

std::string copy_record(std::string_view name, std::uint64_t version, const AgentId& agent) {
  return fmt::format("{}/{}/{}", name, version, agent.value);
}

}  // namespace sallyport::store
