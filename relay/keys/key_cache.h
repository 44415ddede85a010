#pragma once

#include "relay/keys/locked_memory.h"
#include "shared/base/clock.h"
#include "shared/base/metrics.h"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sallyport::keys {

using SharedKey = std::shared_ptr<const LockedKey>;

// An unwrapped key, and until when it may be used: no longer than any key above it.
struct HeldKey {
  SharedKey key;
  SteadyTime until;
  std::uint32_t version = 0;  // of keys that have versions
};

// What a cache of keys is measured by.
struct CacheFigures {
  explicit CacheFigures(Metrics& metrics);
  Gauge& held;
  Counter& hits;
  Counter& misses;
};

// Unwrapped keys by name, for a bounded time and of a bounded number; who was used longest ago goes first. No clock of
// its own.
class KeyCache {
 public:
  explicit KeyCache(std::size_t most, std::optional<CacheFigures> figures = {}) : most_(most), figures_(figures) {}

  std::optional<HeldKey> find(std::string_view name, SteadyTime now);
  void keep(std::string name, HeldKey key);
  void forget_expired(SteadyTime now);
  void forget(std::string_view name);
  void forget_if(const std::function<bool(std::string_view name)>& goes);
  std::size_t size() const { return by_name_.size(); }

 private:
  struct Entry {
    std::string name;
    HeldKey key;
  };
  using Entries = std::list<Entry>;
  void drop(Entries::iterator entry);
  void count() const;

  std::size_t most_;
  std::optional<CacheFigures> figures_;
  Entries by_use_;  // the newest first
  std::unordered_map<std::string_view, Entries::iterator> by_name_;
};

}  // namespace sallyport::keys
