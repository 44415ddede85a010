#pragma once

#include "agent/vault/vault.h"
#include "shared/base/redactor.h"

#include <list>
#include <mutex>
#include <string>

namespace sallyport::vault {

// Tells the redactor of each secret that it gives: nothing that a system answers or a library writes carries it into
// logs and reports. What was replaced may still be in use by connections and steps, so of each reference the last
// kKept secrets stay hidden as long as this lives. What it is given outlives it; thread-safe.
class RedactingVault final : public Vault {
 public:
  static constexpr std::size_t kKept = 8;  // when the redactor is full the oldest of all go, but for each last one

  RedactingVault(const Vault& inner, Redactor& redactor) : inner_(inner), redactor_(redactor) {}

  // Errc::exhausted: the redactor knows as many secrets as it can; what would go unnoticed is not given.
  Result<Secret> resolve(const SecretRef& ref) const override;
  std::uint64_t version_of(const SecretRef& ref) const override { return inner_.version_of(ref); }

 private:
  struct Given {
    std::string ref;
    std::string owner;  // in the redactor
    Secret secret;
  };
  Result<void> hide(const std::string& ref, const Secret& secret) const;
  std::list<Given>::iterator oldest_replaced() const;
  void forget(std::list<Given>::iterator one) const;

  const Vault& inner_;
  Redactor& redactor_;
  mutable std::mutex mutex_;
  mutable std::uint64_t count_ = 0;
  mutable std::list<Given> given_;  // the oldest first
};

}  // namespace sallyport::vault
