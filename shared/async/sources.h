#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

// What is counted by where it comes from. No IO and no clock of its own; memory is bounded, whoever calls.
namespace sallyport {

// A table of at most `capacity` entries; the one that was not used for longest makes room.
template <class Entry>
class BoundedTable {
 public:
  explicit BoundedTable(std::size_t capacity) : capacity_(capacity) {}

  Entry* find(std::string_view key) {
    const auto it = index_.find(std::string(key));
    return it == index_.end() ? nullptr : &it->second->second;
  }
  Entry& touch(std::string_view key) {
    if (const auto it = index_.find(std::string(key)); it != index_.end()) {
      recent_.splice(recent_.begin(), recent_, it->second);
      return it->second->second;
    }
    if (recent_.size() == capacity_) {
      index_.erase(recent_.back().first);
      recent_.pop_back();
    }
    recent_.emplace_front(std::string(key), Entry());
    index_.emplace(std::string(key), recent_.begin());
    return recent_.front().second;
  }
  void erase(std::string_view key) {
    const auto it = index_.find(std::string(key));
    if (it == index_.end()) return;
    recent_.erase(it->second);
    index_.erase(it);
  }
  std::size_t size() const { return recent_.size(); }

 private:
  using Item = std::pair<std::string, Entry>;
  std::size_t capacity_;
  std::list<Item> recent_;
  std::unordered_map<std::string, typename std::list<Item>::iterator> index_;
};

struct BackOffTerms {
  std::uint32_t free_failures = 10;
  std::chrono::seconds first{1};
  std::chrono::seconds longest{60};
  std::chrono::seconds forget{300};  // after this long without a failure all is forgotten
  std::size_t sources = 10'000;
};

enum class Failure { counted, now_blocked };  // now_blocked: this one crossed the line; said once per block

// Failed proofs of identity by source address: after a few, each further one blocks the source for twice as long.
class SourceBackOff {
 public:
  explicit SourceBackOff(BackOffTerms terms) : terms_(terms), sources_(terms.sources) {}
  std::optional<std::chrono::seconds> blocked_for(std::string_view source, SteadyTime now);
  Failure failed(std::string_view source, SteadyTime now);
  void succeeded(std::string_view source) { sources_.erase(source); }
  std::size_t size() const { return sources_.size(); }

 private:
  struct Source {
    std::uint32_t failures = 0;
    SteadyTime last;
    SteadyTime blocked_until;
  };
  BackOffTerms terms_;
  BoundedTable<Source> sources_;
};

// A number of places of which one source may hold as many as are free: one alone gets half of them, n sources share
// what is there, and who comes new finds a place until there are as many sources as places. (The dynamic thresholds of
// shared-memory switches: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.)
class FairShare {
 public:
  explicit FairShare(std::size_t places) : places_(places) {}
  bool has_place_for(const std::string& source) const { return held_by(source) < places_ - taken_; }
  bool is_full() const { return taken_ == places_; }
  std::size_t held_by(const std::string& source) const;
  std::size_t taken() const { return taken_; }
  void take(const std::string& source);       // only after has_place_for()
  void give_back(const std::string& source);  // once for each take()

 private:
  std::size_t places_;
  std::size_t taken_ = 0;
  std::unordered_map<std::string, std::size_t> held_;  // never 0
};

// What failures are counted by: an IPv4 address, or the /64 network of an IPv6 address.
std::string source_of(std::string_view peer);

}  // namespace sallyport
