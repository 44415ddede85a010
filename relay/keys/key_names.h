#pragma once

#include "relay/store/job_keys.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <string>
#include <string_view>

// What keys are called, in memory and as the purpose to which their wrapped form is bound: docs/envelope.md.
namespace sallyport::keys {

std::string global_name(std::uint32_t version);
std::string tenant_name(const OrgId& org, std::uint32_t version);
// The key of an organisation's attachment, and the credentials for where its own key is kept.
std::string attachment_name(const OrgId& org, std::uint32_t version);
std::string credentials_name(const OrgId& org, std::uint32_t version);
std::string ratchet_name(const OrgId& org, const store::RetentionLane& lane, store::Hour position);
std::string hour_prefix(const OrgId& org, const store::RetentionLane& lane);
std::string hour_name(const OrgId& org, const store::RetentionLane& lane, store::Hour hour);
std::string job_prefix(const OrgId& org);  // of keys of jobs, as they are held
// hour_prefix or job_prefix of a name that begins with one; else the name.
std::string_view prefix_of(std::string_view name);
// Whose a key is: of tenant, hour and job names; else "".
std::string_view organisation_of(std::string_view name);
// Its hour is not part of it, for it moves.
std::string job_key_name(const OrgId& org, const JobId& job, const store::RetentionLane& lane);

}  // namespace sallyport::keys
