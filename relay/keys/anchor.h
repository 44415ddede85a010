#pragma once

#include "relay/keys/locked_memory.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace sallyport::keys {

// The one secret that is never copied and only moves forward: what is sealed under it (the ratchets of keys.db) is
// beyond recall once it has turned, also for who kept every version of every other file. A file of two slots, each
// checksummed and in a block of its own, written in place and synced: a write that is cut short leaves the other slot.
// Blocks. One process.
//
// To turn: prepare() the next one, which is durable beside the present one; commit what is sealed under it; settle().
class Anchor {
 public:
  // Makes the file (mode 0600). Errc::conflict: it is there.
  static Result<void> make(const std::filesystem::path& file, std::uint64_t epoch = 0);
  // Takes the slot of `epoch` and overwrites the other one, which a crash left. Errc::not_found: no such file.
  // Errc::invalid: neither slot is of that epoch: the keys' database and the anchor are not of the same moment.
  static Result<Anchor> open(const std::filesystem::path& file, LockedMemory& memory, std::uint64_t epoch);

  struct Slot {
    std::uint64_t epoch = 0;
    LockedKey key;
  };
  // The slots that are whole, the newest last; changes nothing. None: there is no anchor in the file. Errc::not_found:
  // no such file.
  static Result<std::vector<Slot>> look(const std::filesystem::path& file, LockedMemory& memory);

  std::uint64_t epoch() const { return epoch_; }
  const LockedKey& key() const { return key_; }
  // A fresh key for epoch() + 1, on the disk beside this one.
  Result<LockedKey> prepare();
  // `next` is the key from now on; then forget_old().
  Result<void> settle(LockedKey next);
  // Overwrites what is not of epoch(), when that has not been done.
  Result<void> forget_old();

 private:
  Anchor(std::filesystem::path file, LockedMemory& memory) : file_(std::move(file)), memory_(&memory) {}

  std::filesystem::path file_;
  LockedMemory* memory_;
  std::uint64_t epoch_ = 0;
  LockedKey key_;
  bool old_is_there_ = true;
};

}  // namespace sallyport::keys
