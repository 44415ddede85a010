#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/key.h"
#include "shared/sealing/statement.h"

#include <map>
#include <set>
#include <string>

namespace sallyport::agent {

inline constexpr std::size_t kMostSealingKeys = 8;              // kept at the same time
inline constexpr std::chrono::hours kSealingKeyLife{24 * 365};  // then the next one is made

// The key pairs that others seal to: made here, kept in one file of mode 0600, never sent. The newest is the one to
// offer; older ones are kept while something is sealed to them.
class SealingKeys {
 public:
  // not_found: there is no file. Errc::invalid: it is damaged; what was sealed to its keys cannot be opened any more.
  static Result<SealingKeys> load(const std::string& path);
  // Makes the first key when there is no file.
  static Result<SealingKeys> load_or_create(const std::string& path, WallTime now);

  sealing::Generation newest() const { return keys_.rbegin()->first; }
  const crypto::PrivateKey& newest_key() const { return keys_.rbegin()->second.key; }
  WallTime newest_made_at() const { return keys_.rbegin()->second.made_at; }
  const crypto::PrivateKey* find(sealing::Generation generation) const;
  std::size_t size() const { return keys_.size(); }

  // The next generation, in the file before it is offered. Of more than kMostSealingKeys the oldest goes.
  Result<void> renew(WallTime now);
  // Forgets those, other than the newest, that nothing is sealed to.
  Result<void> keep_only(const std::set<sealing::Generation>& used);

 private:
  struct Key {
    crypto::PrivateKey key;
    WallTime made_at{};
  };
  explicit SealingKeys(std::string path) : path_(std::move(path)) {}
  static Result<SealingKeys> parse(std::string path, std::string_view text);
  Result<void> save() const;

  std::string path_;
  std::map<sealing::Generation, Key> keys_;  // never empty once it is loaded
};

}  // namespace sallyport::agent
