#pragma once

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/text.h"
#include "shared/sealing/statement.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::agent {

// One system key as it is sealed to this agent.
struct HeldKey {
  std::string name;
  GroupId group;
  std::uint64_t version = 0;
  sealing::Generation generation = 0;
  Bytes sealed;
};

// Errc::invalid: more keys than there may be, two of one name, or one that is none.
Result<void> check_held(const std::vector<HeldKey>& keys);

// The file that keeps them while the agent does not run: ciphertexts, mode 0600. Nothing when there is no file.
Result<std::vector<HeldKey>> load_held(const std::string& path);
Result<void> save_held(const std::string& path, const std::vector<HeldKey>& keys);

}  // namespace sallyport::agent
