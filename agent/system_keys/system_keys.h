#pragma once

#include "agent/link/identity.h"
#include "agent/system_keys/held_keys.h"
#include "agent/system_keys/sealing_keys.h"
#include "shared/base/log.h"
#include "shared/sealing/credentials.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport::agent {

// How it stands with one system key of this agent.
struct SystemKeyFact {
  std::string name;
  std::uint64_t version = 0;
  bool opens = false;
};

// The system keys of this agent. Values are opened when they are asked for, and kept by nobody here. Thread-safe: steps
// ask on their own threads. `identities` and `log` outlive it.
class SystemKeys {
 public:
  enum class WhenAbsent { make, leave };  // the first sealing key

  // Both files lie in `state_dir`. What is damaged is Errc::invalid and says what to do.
  static Result<std::unique_ptr<SystemKeys>> open(const std::string& state_dir, const IdentityStore& identities,
                                                  const Clock& clock, const Log& log,
                                                  WhenAbsent when_absent = WhenAbsent::make);

  // not_found: no such key or value here, and what to do; invalid: it is here and does not open.
  Result<Secret> value(std::string_view key, std::string_view value) const;
  // Changes when the key does; 0: it is not here. Who keeps something that was made with its values asks again then.
  std::uint64_t version_of(std::string_view key) const;
  std::vector<SystemKeyFact> facts() const;  // by name

  // All that the relay has for this agent, in place of what was there. A key that is here and opens stays when the one
  // brought is an older version, which the log tells, or does not open. Sealing keys that nothing is sealed to any more
  // are forgotten. Tells of each key what was brought, or the newer version that stayed. Blocks: it writes files.
  Result<std::vector<SystemKeyFact>> take(std::vector<HeldKey> brought);
  // This agent's word for its sealing key, signed with the certificate that it has now. Makes the next key when the
  // newest is a year old.
  Result<Bytes> statement();
  // This agent has been revoked: files and memory forget all of it, the log tells, and nothing is taken any more. Again
  // it does nothing. Blocks.
  void forget_all();
  Result<sealing::Generation> renew();
  std::string fingerprint() const;  // of the newest; "": there is none

 private:
  SystemKeys(std::string state_dir, const IdentityStore& identities, const Clock& clock, const Log& log);
  Result<std::vector<SystemKeyFact>> keep_better(std::vector<HeldKey>& brought) const;
  const HeldKey* find(std::string_view name) const;
  Result<sealing::Credentials> open_key(const HeldKey& key) const;
  std::string held_path() const { return state_dir_ + "/system-keys"; }
  std::string sealing_path() const { return state_dir_ + "/sealing-keys"; }

  const std::string state_dir_;
  const IdentityStore& identities_;
  const Clock& clock_;
  const Log& log_;
  crypto::SpiffeId self_;
  std::mutex taking_;  // before mutex_, which nobody holds while that file is written
  mutable std::mutex mutex_;
  std::optional<SealingKeys> sealing_;
  std::vector<HeldKey> held_;
};

}  // namespace sallyport::agent
