#pragma once

#include "relay/store/page.h"

#include <cstdint>
#include <filesystem>

namespace sallyport::store {

// Copies of keys.db while it is in use. Neither reads nor writes of keys wait for them.
class KeyCopies {
 public:
  virtual ~KeyCopies() = default;
  // keys.db as of now, into a new file of mode 0600: whole and synced when this returns, without a log beside it. The
  // epoch of the anchor that it belongs to. conflict: the file is there.
  virtual awaitable<Result<std::uint64_t>> copy_to(std::filesystem::path file) = 0;
  // Another number than before when something was written since.
  virtual awaitable<Result<std::int64_t>> version() = 0;
  // Overwrites and removes a copy; fine when there is none.
  virtual awaitable<Result<void>> discard(std::filesystem::path file) = 0;
};

}  // namespace sallyport::store
