#pragma once

#include "relay/keys/envelope.h"
#include "relay/store/system_keys.h"

namespace sallyport::keys {

// Under which identity the copy of a system key for one agent passes the envelope.
inline RecordIdentity copy_identity(const OrgId& org, std::string_view name, std::uint64_t version,
                                    const AgentId& agent) {
  return {org, "system_keys", "copy", store::copy_record(name, version, agent)};
}

}  // namespace sallyport::keys
