// A ZIP from anywhere: no crash, no name that leaves its folder, no entry of another size than it says.
#include "agent/connectors/archive/zip_archive.h"
#include "shared/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::archive;

namespace {

class Memory final : public Bodies {
 public:
  explicit Memory(std::span<const std::byte> content) : content_(content) {}
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle&) override {
    return std::make_unique<Reader>(content_);
  }
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle&) override { return step_fail("invalid", "none"); }
  StepResult<std::unique_ptr<BodyWriter>> new_spool(std::string) override { return step_fail("invalid", "none"); }

 private:
  class Reader final : public ByteReader {
   public:
    explicit Reader(std::span<const std::byte> rest) : rest_(rest) {}
    StepResult<std::size_t> read(std::span<std::byte> into) override {
      const auto count = std::min(rest_.size(), into.size());
      std::ranges::copy(rest_.first(count), into.begin());
      rest_ = rest_.subspan(count);
      return count;
    }

   private:
    std::span<const std::byte> rest_;
  };
  std::span<const std::byte> content_;
};

void read_through(ZipArchive& archive, const ZipEntry& entry) {
  const auto content = archive.open_entry(entry, 50);
  if (!content) return;
  std::array<std::byte, 4096> buffer;
  for (std::uint64_t total = 0;;) {
    const auto got = (*content)->read(buffer);
    if (!got) return;
    total += *got;
    if (total > entry.size || (*got == 0 && total != entry.size)) std::abort();
    if (*got == 0) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Memory bodies(std::as_bytes(std::span(data, size)));
  const auto archive = ZipArchive::open(Handle{"spool", {}}, bodies, [] { return StepResult<void>(); });
  if (!archive) return 0;
  for (const auto& entry : (*archive)->entries()) {
    if (!check_entry_name(entry.name) || entry.limit > size) std::abort();
    read_through(**archive, entry);
  }
  return 0;
}
