#include "agent/vault/redacting_vault.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

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
  const auto known = std::ranges::find_if(
      given_, [&](const Given& one) { return one.ref == ref && one.secret.reveal() == secret.reveal(); });
  if (known != given_.end()) {
    given_.splice(given_.end(), given_, known);
    return {};
  }
  if (std::ranges::count(given_, ref, &Given::ref) == kKept) forget(std::ranges::find(given_, ref, &Given::ref));
  auto owner = fmt::format("vault {}", ++count_);
  auto added = redactor_.add(owner, secret);
  for (; !added; added = redactor_.add(owner, secret)) {
    const auto oldest = oldest_replaced();
    if (oldest == given_.end()) return added;
    forget(oldest);
  }
  given_.push_back({ref, std::move(owner), secret.duplicate()});
  return {};
}

std::list<RedactingVault::Given>::iterator RedactingVault::oldest_replaced() const {
  std::map<std::string_view, std::list<Given>::iterator> last;
  for (auto one = given_.begin(); one != given_.end(); ++one) last[one->ref] = one;
  auto oldest = given_.begin();
  while (oldest != given_.end() && last.at(oldest->ref) == oldest) ++oldest;
  return oldest;
}

void RedactingVault::forget(std::list<Given>::iterator one) const {
  redactor_.forget(one->owner);
  given_.erase(one);
}

}  // namespace sallyport::vault
