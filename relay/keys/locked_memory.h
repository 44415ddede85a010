#pragma once

#include "shared/base/result.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sallyport::keys {

inline constexpr std::size_t kKeySize = 32;

class LockedKey;

// Memory for unwrapped keys: never swapped (mlock), in no core dump (MADV_DONTDUMP), wiped when it is given back. Grows
// by pages, as far as the process may lock. Used by one thread; outlives its keys.
class LockedMemory {
 public:
  // Errc::exhausted: the process may not lock even one page (RLIMIT_MEMLOCK).
  static Result<std::unique_ptr<LockedMemory>> make(std::size_t most_keys = 16'384);
  LockedMemory(const LockedMemory&) = delete;
  LockedMemory& operator=(const LockedMemory&) = delete;
  ~LockedMemory();

  Result<LockedKey> take();  // zeros. Errc::exhausted: no more may be locked
  std::size_t used() const { return used_; }

 private:
  friend class LockedKey;
  using Place = std::array<std::byte, kKeySize>;
  explicit LockedMemory(std::size_t most_keys) : most_keys_(most_keys) {}
  Result<void> grow();
  void give_back(Place* place) noexcept;

  std::size_t most_keys_;
  std::size_t used_ = 0;
  std::vector<std::span<std::byte>> chunks_;
  std::vector<Place*> free_;
};

// 32 bytes of it. No stream operator, no formatter, no copy.
class LockedKey {
 public:
  LockedKey() = default;
  LockedKey(LockedKey&& other) noexcept : memory_(other.memory_), place_(std::exchange(other.place_, nullptr)) {}
  LockedKey& operator=(LockedKey&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(place_, other.place_);
    return *this;
  }
  ~LockedKey() {
    if (place_ != nullptr) memory_->give_back(place_);
  }

  bool is_taken() const { return place_ != nullptr; }
  std::span<const std::byte, kKeySize> bytes() const { return *place_; }  // of a key that was taken
  std::span<std::byte, kKeySize> writable() { return *place_; }

 private:
  friend class LockedMemory;
  LockedKey(LockedMemory& memory, LockedMemory::Place* place) : memory_(&memory), place_(place) {}

  LockedMemory* memory_ = nullptr;
  LockedMemory::Place* place_ = nullptr;
};

}  // namespace sallyport::keys
