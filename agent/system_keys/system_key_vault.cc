#include "agent/system_keys/system_key_vault.h"

namespace sallyport::agent {
namespace {

constexpr auto kSystemKey = vault::SecretRef::Source::system_key;

}  // namespace

Result<Secret> SystemKeyVault::resolve(const vault::SecretRef& ref) const {
  if (ref.source != kSystemKey) return local_.resolve(ref);
  const auto [key, value] = vault::split_system_key(ref.where);
  return keys_.value(key, value);
}

std::uint64_t SystemKeyVault::version_of(const vault::SecretRef& ref) const {
  return ref.source == kSystemKey ? keys_.version_of(vault::split_system_key(ref.where).first) : 0;
}

}  // namespace sallyport::agent
