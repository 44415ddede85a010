#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport::vault {

// Where a secret is kept; never the secret. Connections and agent.yaml hold only these.
struct SecretRef {
  enum class Source { none, file, environment, system_key };
  Source source = Source::none;
  std::string where;  // a path, a variable's name, or "KEY/VALUE" of a system key

  explicit operator bool() const { return source != Source::none; }
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

// The system key and its value of "KEY/VALUE".
std::pair<std::string_view, std::string_view> split_system_key(std::string_view where);

std::string to_string(const SecretRef& ref);  // "file /etc/sallyport/erp.password", "environment variable ERP_PASSWORD"

// Gives secrets at the moment they are used; keeps none. Thread-safe.
class Vault {
 public:
  virtual ~Vault() = default;
  // not_found when nobody has set it; forbidden, with the command that repairs it, when others could have read it.
  virtual Result<Secret> resolve(const SecretRef& ref) const = 0;
  // Another number after the secret was replaced or taken away: what was opened with it is to be closed. 0 for what
  // does not tell.
  virtual std::uint64_t version_of(const SecretRef&) const { return 0; }
};

// Secrets of this machine: files of mode 0600 (one line break at the end is dropped) and environment variables. System
// keys are not_found here.
class LocalVault final : public Vault {
 public:
  Result<Secret> resolve(const SecretRef& ref) const override;
};

}  // namespace sallyport::vault
