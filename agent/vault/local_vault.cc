#include "agent/platform/secret_file.h"
#include "agent/vault/vault.h"

#include <algorithm>
#include <cstdlib>

namespace sallyport::vault {
namespace {

Result<Secret> from_file(const std::string& path) {
  SP_TRY(auto secret, platform::read_secret_file(path));
  auto text = secret.reveal();
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) return fail(Errc::not_found, "the secret file " + path + " is empty");
  return text.size() == secret.size() ? std::move(secret) : Secret::take(std::string(text));
}

Result<Secret> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0')
    return fail(Errc::not_found, "the environment variable " + name + " is not set");
  return Secret::take(std::string(value));
}

}  // namespace

std::pair<std::string_view, std::string_view> split_system_key(std::string_view where) {
  const auto slash = std::min(where.find('/'), where.size());
  return {where.substr(0, slash), where.substr(std::min(slash + 1, where.size()))};
}

std::string to_string(const SecretRef& ref) {
  switch (ref.source) {
    case SecretRef::Source::none: return "none";
    case SecretRef::Source::file: return "file " + ref.where;
    case SecretRef::Source::environment: return "environment variable " + ref.where;
    case SecretRef::Source::system_key: return "system key " + ref.where;
  }
  return "none";
}

Result<Secret> LocalVault::resolve(const SecretRef& ref) const {
  switch (ref.source) {
    case SecretRef::Source::file: return from_file(ref.where);
    case SecretRef::Source::environment: return from_environment(ref.where);
    case SecretRef::Source::system_key: return fail(Errc::not_found, to_string(ref) + " cannot be had here");
    case SecretRef::Source::none: break;
  }
  return fail(Errc::not_found, "no secret is configured");
}

}  // namespace sallyport::vault
