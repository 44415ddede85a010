#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"

#include <string>
#include <string_view>

namespace sallyport::crypto {

// Who an agent is, as its certificate says it: spiffe://<trust_domain>/org/<org>/agent/<agent>
// (SPIFFE-ID and X.509-SVID specifications, narrowed to this one shape).
struct SpiffeId {
  std::string trust_domain;
  OrgId org;
  AgentId agent;
  friend bool operator==(const SpiffeId&, const SpiffeId&) = default;
};

std::string to_string(const SpiffeId& id);

// Byte-exact: lower-case scheme and trust domain, canonical ids, nothing percent-encoded, no port, user, query,
// fragment, empty segment or trailing slash. to_string(*parse_spiffe_id(text)) == text always.
Result<SpiffeId> parse_spiffe_id(std::string_view text);

// 1 to 253 characters of dot-separated labels of lower-case letters, digits and inner hyphens.
bool is_trust_domain(std::string_view text);

}  // namespace sallyport::crypto
