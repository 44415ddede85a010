#pragma once

#include "agent/connectors/archive/transform.h"
#include "agent/connectors/archive/zip_format.h"
#include "agent/connectors/bodies.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::archive {

// A body that is a ZIP. Bodies are read forwards: it is passed twice for its directory and once more for entries that
// are opened in their order. Holds the directory in memory (at most kMaxDirectory bytes).
class ZipArchive {
 public:
  // `bodies` outlives this.
  static StepResult<std::unique_ptr<ZipArchive>> open(Handle source, Bodies& bodies, Check check);

  const std::vector<ZipEntry>& entries() const { return entries_; }  // by their place in the archive
  // The content of an entry, checked against its size and CRC when it ends; read before another one is opened. Errors:
  // "format" (encrypted or packed by another method, too), "too_large" beyond `ratio`.
  StepResult<std::unique_ptr<ByteReader>> open_entry(const ZipEntry& entry, std::uint64_t ratio);

 private:
  ZipArchive(Handle source, Bodies& bodies, Check check)
      : source_(std::move(source)), bodies_(bodies), check_(std::move(check)) {}

  StepResult<void> read_directory();
  StepResult<void> go_to(std::uint64_t offset);
  StepResult<void> read_exactly(std::span<std::byte> into);

  Handle source_;
  Bodies& bodies_;
  Check check_;
  std::unique_ptr<ByteReader> reader_;
  std::uint64_t at_ = 0;
  std::vector<ZipEntry> entries_;

  friend class PackedBytes;
};

}  // namespace sallyport::connectors::archive
