#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/value.h"
#include "shared/crypto/x509.h"
#include "shared/sealing/credentials.h"

#include <string>
#include <vector>

namespace sallyport::cli {

// What a system key is sealed for, and what the person at this machine trusts. Everything else the relay says is
// checked against it.
struct Trusted {
  crypto::Certificate root;  // of the login (root.pem)
  OrgId org;
  std::vector<std::string> fingerprints;  // when any are named, no other sealing key will do
};

struct KeyToSeal {
  GroupId group;
  std::string name;
  std::uint64_t version = 0;
};

struct SealedTo {
  std::string agent;  // id
  std::string name;
  std::string fingerprint;  // of its sealing key
};
struct LeftOut {
  std::string name;
  std::string why;
};

// The credentials sealed to each agent of a list of sealing keys.
struct SealedOrder {
  ValueMap sealed;  // by agent, as the API takes it
  std::vector<SealedTo> to;
  std::vector<LeftOut> left_out;  // have no sealing key yet, or their certificate has ended
};

// `listed`: the items of GET /v1/sealing-keys. Errc::unauthenticated: what stands for an agent is not that agent's
// word, so that nothing is sealed to anybody: it is no accident.
Result<SealedOrder> seal_to_agents(const ValueList& listed, const Trusted& trusted, const KeyToSeal& key,
                                   const sealing::Credentials& credentials, WallTime now);

}  // namespace sallyport::cli
