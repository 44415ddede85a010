#pragma once

#include "shared/base/ids.h"
#include "shared/sealing/credentials.h"
#include "shared/sealing/statement.h"

#include <cstdint>
#include <string>

namespace sallyport::sealing {

// Which system key, in which version, for whom. All of it is bound to the ciphertext: as anything else it does not
// open.
struct SealedFor {
  OrgId org;
  GroupId group;
  std::string name;
  std::uint64_t version = 0;
  AgentId agent;
  Generation generation = 0;  // of the agent's sealing key
};

// HPKE in base mode (RFC 9180) with info "sallyport/1/system-key"; docs/envelope.md.
Result<Bytes> seal_credentials(const crypto::PublicKey& to, const SealedFor& binding, const Credentials& credentials);

// Errc::invalid: sealed to another key or as something else, changed, or no credentials.
Result<Credentials> open_credentials(const crypto::PrivateKey& sealing_key, const SealedFor& binding,
                                     std::span<const std::byte> sealed);

}  // namespace sallyport::sealing
