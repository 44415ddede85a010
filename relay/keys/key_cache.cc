#include "relay/keys/key_cache.h"

namespace sallyport::keys {

CacheFigures::CacheFigures(Metrics& metrics)
    : held(metrics.gauge("sallyport_key_cache_keys", "Unwrapped keys in memory.")),
      hits(metrics.counter("sallyport_key_cache_hits_total", "Keys that were in memory when they were needed.")),
      misses(metrics.counter("sallyport_key_cache_misses_total", "Keys that had to be unwrapped.")) {}

std::optional<HeldKey> KeyCache::find(std::string_view name, SteadyTime now) {
  auto it = by_name_.find(name);
  if (it != by_name_.end() && it->second->key.until <= now) {
    drop(it->second);
    it = by_name_.end();
  }
  if (figures_) (it == by_name_.end() ? figures_->misses : figures_->hits).add();
  if (it == by_name_.end()) return std::nullopt;
  by_use_.splice(by_use_.begin(), by_use_, it->second);
  return it->second->key;
}

void KeyCache::keep(std::string name, HeldKey key) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) drop(it->second);
  if (by_name_.size() >= most_) drop(std::prev(by_use_.end()));
  by_use_.push_front({std::move(name), std::move(key)});
  by_name_.emplace(by_use_.front().name, by_use_.begin());
  count();
}

void KeyCache::forget_expired(SteadyTime now) {
  for (auto it = by_use_.begin(); it != by_use_.end();) {
    const auto entry = it++;
    if (entry->key.until <= now) drop(entry);
  }
}

void KeyCache::forget(std::string_view name) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) drop(it->second);
}

void KeyCache::forget_if(const std::function<bool(std::string_view name)>& goes) {
  for (auto it = by_use_.begin(); it != by_use_.end();) {
    const auto entry = it++;
    if (goes(entry->name)) drop(entry);
  }
}

void KeyCache::drop(Entries::iterator entry) {
  by_name_.erase(entry->name);
  by_use_.erase(entry);
  count();
}

void KeyCache::count() const {
  if (figures_) figures_->held.set(static_cast<std::int64_t>(by_name_.size()));
}

}  // namespace sallyport::keys
