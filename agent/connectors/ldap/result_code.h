#pragma once

#include "agent/connectors/step_error.h"

#include <string_view>

namespace sallyport::connectors::ldap {

// A refusal of the server, by its result code (RFC 4511 appendix A): {"ldap:68", "constraint"}. What the server says
// besides may quote values and names of entries: never used.
StepError result_error(int code, std::string_view doing);

// What Active Directory adds to a refused login ("..., data 775, ..."), in words; empty when it says nothing known.
std::string_view login_reason(std::string_view diagnostic);

}  // namespace sallyport::connectors::ldap
