#pragma once

#include "relay/store/job_keys.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <string>

// What keys are called, in memory and as the purpose to which their wrapped form is bound: docs/envelope.md.
namespace sallyport::keys {

std::string global_name(std::uint32_t version);
std::string tenant_name(const OrgId& org, std::uint32_t version);
std::string ratchet_name(const OrgId& org, const store::RetentionLane& lane, store::Hour position);
std::string hour_prefix(const OrgId& org, const store::RetentionLane& lane);
std::string hour_name(const OrgId& org, const store::RetentionLane& lane, store::Hour hour);
// Its hour is not part of it, for it moves.
std::string job_key_name(const OrgId& org, const JobId& job, const store::RetentionLane& lane);

}  // namespace sallyport::keys
