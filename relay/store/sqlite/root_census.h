#pragma once

#include "relay/store/certificates.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::store {

// An agent that the end of another root would shut out.
struct AgentOfOtherRoot {
  OrgId org;
  AgentId id;
  std::string name;
};

struct RootCensus {
  std::int64_t agents = 0;                    // active ones of other roots
  std::vector<AgentOfOtherRoot> named;        // some of them
  std::vector<IssuingCaCertificate> issuers;  // of all organisations
};

// Which active agents hold no certificate of the root with this pin, as far as is known: the newest that they used is
// of another one, and a certificate of theirs has not ended at `now`. Blocking. Only reads, on a connection of its own,
// so a relay may run on the file. unavailable: the file cannot be read, or is of a relay of another version.
Result<RootCensus> count_other_roots(const std::filesystem::path& file, const Bytes& root_pin, WallTime now,
                                     std::size_t most_named);

}  // namespace sallyport::store
