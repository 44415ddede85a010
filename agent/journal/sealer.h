#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <initializer_list>
#include <list>
#include <string>
#include <string_view>

namespace sallyport::journal {

// Seals payload columns: a key per scope (a job, or "" for the agent), derived from the local key; the place of the
// value (table, column, row) is bound to it, so that a value moved elsewhere does not open.
class Sealer {
 public:
  explicit Sealer(Secret key) : key_(std::move(key)) {}

  using Place = std::initializer_list<std::string_view>;
  Result<Bytes> seal(std::string_view scope, Place place, std::string_view plain);
  Result<std::string> open(std::string_view scope, Place place, std::span<const std::byte> sealed);
  // A keyed digest: equal for equal text, says nothing about it without the key.
  std::string fingerprint(std::string_view scope, std::string_view text) const;

 private:
  Result<const Secret*> key_of(std::string_view scope);

  struct Derived {
    std::string scope;
    Secret key;
  };
  Secret key_;
  std::list<Derived> recent_;  // most recently used first
};

}  // namespace sallyport::journal
