#pragma once

#include "agent/findings/finding.h"
#include "agent/link/identity.h"
#include "shared/base/clock.h"

#include <cstdint>
#include <string>

namespace sallyport::doctor {

using findings::Finding, findings::Verdict;

// Below this an agent may not get through a day of reports and bodies.
inline constexpr std::uintmax_t kLittleSpace = 256u << 20;

// The state directory: there, closed to others, and with room. Makes nothing.
Finding examine_state(const std::string& directory);
// What FileIdentityStore::load() came to.
Finding examine_identity(const Result<agent::Identity>& loaded, const std::string& file);
// The certificate's life against this machine's clock.
Finding examine_certificate(const crypto::Certificate& certificate, const Clock& clock);
// The relay's clock against this one; `ahead` is by how much this machine's is ahead.
Finding examine_clock(std::chrono::milliseconds ahead);

}  // namespace sallyport::doctor
