#pragma once

#include "agent/connectors/archive/transform.h"
#include "agent/platform/shared_library.h"

#include <cstdint>
#include <memory>
#include <span>

namespace sallyport::connectors::archive {

enum class Wrap { gzip, raw };  // RFC 1952 (several members make one body); RFC 1951 alone, as in a ZIP

// DEFLATE by zlib, which is loaded by the first of them. Class "internal" when it cannot be.
StepResult<std::unique_ptr<Transform>> make_deflater(Wrap wrap, int level);  // 1 to 9
StepResult<std::unique_ptr<Transform>> make_inflater(Wrap wrap);

// The CRC-32 of a ZIP, over everything that was added.
class Crc32 {
 public:
  static StepResult<Crc32> begin();
  void add(std::span<const std::byte> bytes);
  std::uint32_t value() const { return value_; }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace sallyport::connectors::archive
