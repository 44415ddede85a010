#include "relay/keys/anchor.h"

#include "relay/keys/key_wrap.h"
#include "relay/keys/private_file.h"
#include "shared/base/secret.h"
#include "shared/crypto/digest.h"

#include <algorithm>
#include <optional>

namespace sallyport::keys {
namespace {

constexpr std::string_view kMagic = "sallyport-anchor";  // 16 bytes
constexpr std::size_t kSlot = 4096;                      // a block of disk and page cache: no write touches both slots
constexpr std::size_t kSigned = 16 + 8 + kKeySize;       // magic ‖ epoch ‖ key, then SHA-256 of them

using SlotBytes = std::array<std::byte, kSlot>;

std::size_t slot_of(std::uint64_t epoch) { return epoch % 2; }

SlotBytes write_slot(std::uint64_t epoch, const LockedKey& key) {
  SlotBytes slot{};
  auto end = std::ranges::copy(as_bytes(kMagic), slot.begin()).out;
  for (int shift = 56; shift >= 0; shift -= 8) *end++ = static_cast<std::byte>(epoch >> shift);
  std::ranges::copy(key.bytes(), end);
  const auto digest = crypto::sha256(std::span<const std::byte>(slot).first(kSigned));
  std::ranges::copy(digest, slot.begin() + kSigned);
  return slot;
}

Result<std::optional<Anchor::Slot>> read_slot(LockedMemory& memory, std::span<const std::byte> slot) {
  const auto digest = crypto::sha256(slot.first(kSigned));
  const bool whole = std::ranges::equal(slot.first(kMagic.size()), as_bytes(kMagic)) &&
                     std::ranges::equal(slot.subspan(kSigned, digest.size()), digest);
  if (!whole) return std::nullopt;
  Anchor::Slot content;
  for (const std::byte byte : slot.subspan(kMagic.size(), 8)) {
    content.epoch = content.epoch << 8 | std::to_integer<std::uint64_t>(byte);
  }
  SP_TRY(content.key, memory.take());
  std::ranges::copy(slot.subspan(kMagic.size() + 8, kKeySize), content.key.writable().begin());
  return content;
}

Result<void> put_slot(const std::filesystem::path& file, std::uint64_t epoch, const LockedKey& key) {
  SlotBytes slot = write_slot(epoch, key);
  auto written = overwrite(file, slot_of(epoch) * kSlot, slot);
  wipe(slot.data(), slot.size());
  return written;
}

}  // namespace

Result<void> Anchor::make(const std::filesystem::path& file, std::uint64_t epoch) {
  SP_TRY(const auto memory, LockedMemory::make());
  SP_TRY(const LockedKey fresh, random_key(*memory));
  std::array<std::byte, 2 * kSlot> both{};
  SlotBytes slot = write_slot(epoch, fresh);
  std::ranges::copy(slot, both.begin() + static_cast<std::ptrdiff_t>(slot_of(epoch) * kSlot));
  auto made = write_new_private_file(file, both);
  wipe(slot.data(), slot.size());
  wipe(both.data(), both.size());
  return made;
}

Result<std::vector<Anchor::Slot>> Anchor::look(const std::filesystem::path& file, LockedMemory& memory) {
  SP_TRY(const Secret text, read_private_file(file, 2 * kSlot + 1));
  std::vector<Slot> slots;
  if (text.size() != 2 * kSlot) return slots;
  for (const std::size_t at : {std::size_t{0}, kSlot}) {
    SP_TRY(auto slot, read_slot(memory, as_bytes(text.reveal()).subspan(at, kSlot)));
    if (slot && slot_of(slot->epoch) * kSlot == at) slots.push_back(*std::move(slot));
  }
  std::ranges::sort(slots, {}, &Slot::epoch);
  return slots;
}

Result<Anchor> Anchor::open(const std::filesystem::path& file, LockedMemory& memory, std::uint64_t epoch) {
  SP_TRY(auto slots, look(file, memory));
  const auto own = std::ranges::find(slots, epoch, &Slot::epoch);
  if (own == slots.end()) {
    return fail(Errc::invalid, file.string() +
                                   ": the anchor of the keys is not of the same moment as keys.db: one of the two was "
                                   "restored, replaced or damaged. Put both back as they were at one moment; without "
                                   "them: sallyport-relay keys restore");
  }
  Anchor anchor(file, memory);
  anchor.epoch_ = epoch;
  anchor.key_ = std::move(own->key);
  SP_CHECK(anchor.forget_old());  // what a turn that was cut short left
  return anchor;
}

Result<LockedKey> Anchor::prepare() {
  SP_TRY(LockedKey next, random_key(*memory_));
  old_is_there_ = true;
  SP_CHECK(put_slot(file_, epoch_ + 1, next));
  return next;
}

Result<void> Anchor::settle(LockedKey next) {
  ++epoch_;
  key_ = std::move(next);
  return forget_old();
}

Result<void> Anchor::forget_old() {
  if (!old_is_there_) return {};
  SP_CHECK(overwrite(file_, slot_of(epoch_ + 1) * kSlot, SlotBytes{}));
  old_is_there_ = false;
  return {};
}

}  // namespace sallyport::keys
