#include "relay/keys/locked_memory.h"

#include "shared/base/secret.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace sallyport::keys {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 10;

}  // namespace

Result<std::unique_ptr<LockedMemory>> LockedMemory::make(std::size_t most_keys) {
  std::unique_ptr<LockedMemory> memory(new LockedMemory(most_keys));
  SP_CHECK(memory->grow());
  return memory;
}

LockedMemory::~LockedMemory() {
  for (const auto& chunk : chunks_) {
    wipe(chunk.data(), chunk.size());
    ::munmap(chunk.data(), chunk.size());
  }
}

Result<void> LockedMemory::grow() {
  if (chunks_.size() * (kChunk / kKeySize) >= most_keys_)
    return fail(Errc::exhausted, "too many keys are in use at once: try again; more relays share the work");
  void* const at = ::mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return fail(Errc::exhausted, "no memory for keys");
  if (::mlock2(at, kChunk, 0) != 0 || ::madvise(at, kChunk, MADV_DONTDUMP) != 0) {
    const int why = errno;
    ::munmap(at, kChunk);
    return fail(Errc::exhausted,
                fmt::format("memory for keys cannot be kept from swap and dumps ({}): raise the limit of locked memory "
                            "(LimitMEMLOCK= of the unit, ulimit -l) to 1 MiB",
                            std::generic_category().message(why)));
  }
  const std::span chunk(static_cast<std::byte*>(at), kChunk);
  chunks_.push_back(chunk);
  free_.reserve(chunks_.size() * (kChunk / kKeySize));  // so that giving back never allocates
  for (std::size_t offset = 0; offset < kChunk; offset += kKeySize) {
    free_.push_back(reinterpret_cast<Place*>(chunk.data() + offset));
  }
  return {};
}

Result<LockedKey> LockedMemory::take() {
  if (free_.empty()) SP_CHECK(grow());
  Place* const place = free_.back();
  free_.pop_back();
  ++used_;
  return LockedKey(*this, place);
}

void LockedMemory::give_back(Place* place) noexcept {
  wipe(place->data(), place->size());
  free_.push_back(place);
  --used_;
}

}  // namespace sallyport::keys
