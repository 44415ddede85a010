#pragma once

#include "relay/keys/envelope.h"

#include <array>
#include <cstddef>
#include <span>

// The bytes of a sealed field, docs/envelope.md; no keys are looked up here.
namespace sallyport::keys {

using Salt = std::array<std::byte, 32>;

// version (1 byte, = 2) ‖ class (1) ‖ global key's version (4) ‖ inner key's number (4) ‖ salt (32) ‖ commitment (32)
inline constexpr std::size_t kSealedHeaderSize = 74;
inline constexpr std::size_t kSealedOverhead = kSealedHeaderSize + 32;  // two tags

struct SealHeader {
  KeyClass key = KeyClass::standing;
  std::uint32_t global = 0;
  std::uint32_t inner = 0;  // version of the organisation's key (standing), or the hour (transient); else 0
  Salt salt{};              // fresh for every record
};

// 32 bytes each: the one that the class names, and the global key.
struct SealKeys {
  std::span<const std::byte> inner;
  std::span<const std::byte> outer;
};

// Of a field of class standing: which keys.
struct StandingVersions {
  std::uint32_t global = 0;
  std::uint32_t organisation = 0;

  friend bool operator==(const StandingVersions&, const StandingVersions&) = default;
};
// How every field that is sealed under them begins.
Bytes head_of(const StandingVersions& versions);

// `header.key` is the identity's. The same salt must never be used twice.
Result<Bytes> seal_record(const SealKeys& keys, const SealHeader& header, const RecordIdentity& identity,
                          std::span<const std::byte> plaintext);

struct SealedRecord {
  SealHeader header;
  std::span<const std::byte> head;        // the header as it was read, up to and with the salt
  std::span<const std::byte> commitment;  // 32 bytes
  std::span<const std::byte> body;
};

// Splits without copying; the spans point into `sealed`. Errc::invalid: too short, another version, no such class.
Result<SealedRecord> split_sealed(std::span<const std::byte> sealed);

// Errc::invalid: not these keys, not this record, or changed.
Result<Secret> open_record(const SealKeys& keys, const SealedRecord& record, const RecordIdentity& identity);

}  // namespace sallyport::keys
