#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <string>

namespace sallyport::vault {

// Where a secret is kept; never the secret. Connections and agent.yaml hold only these.
struct SecretRef {
  enum class Source { none, file, environment };
  Source source = Source::none;
  std::string where;  // a path, or a variable's name

  explicit operator bool() const { return source != Source::none; }
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

std::string to_string(const SecretRef& ref);  // "file /etc/sallyport/erp.password", "environment variable ERP_PASSWORD"

// Gives secrets at the moment they are used; keeps none. Thread-safe.
class Vault {
 public:
  virtual ~Vault() = default;
  // not_found when nobody has set it; forbidden, with the command that repairs it, when others could have read it.
  virtual Result<Secret> resolve(const SecretRef& ref) const = 0;
};

// Secrets of this machine: files of mode 0600 (one line break at the end is dropped) and environment variables.
class LocalVault final : public Vault {
 public:
  Result<Secret> resolve(const SecretRef& ref) const override;
};

}  // namespace sallyport::vault
