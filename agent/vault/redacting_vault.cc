#include "agent/vault/redacting_vault.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::vault {

// Not under the lock: a slow file keeps nobody from other secrets. Who was overtaken gives an older secret, and both
// are hidden.
Result<Secret> RedactingVault::resolve(const SecretRef& ref) const {
  SP_TRY(auto secret, inner_.resolve(ref));
  SP_CHECK(hide(to_string(ref), secret));
  return secret;
}

Result<void> RedactingVault::hide(const std::string& ref, const Secret& secret) const {
  const std::lock_guard lock(mutex_);
  auto& given = given_[ref];
  const auto known =
      std::ranges::find_if(given, [&](const Given& one) { return one.secret.reveal() == secret.reveal(); });
  if (known != given.end()) {
    std::rotate(known, known + 1, given.end());
    return {};
  }
  const auto forget_oldest = [&] {
    redactor_.forget(given.front().owner);
    given.pop_front();
  };
  if (given.size() == kKept) forget_oldest();
  auto owner = fmt::format("vault {}: {}", ++count_, ref);
  auto added = redactor_.add(owner, secret);
  for (; !added && given.size() > 1; added = redactor_.add(owner, secret)) forget_oldest();
  SP_CHECK(added);
  given.push_back({std::move(owner), secret.duplicate()});
  return {};
}

}  // namespace sallyport::vault
