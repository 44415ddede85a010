// gzip, DEFLATE and Zstandard in two pieces: no crash, no more bytes than the ratio allows, and the same outcome as in
// one piece.
#include "agent/connectors/archive/zlib.h"
#include "agent/connectors/archive/zstd.h"
#include "shared/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::archive;

namespace {

constexpr std::uint64_t kRatio = 50;
constexpr std::size_t kMost = 2u << 20;

class Pieces final : public ByteReader {
 public:
  Pieces(std::string_view text, std::size_t cut) : text_(text), cut_(cut) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto end = at_ < cut_ ? cut_ : text_.size();
    const auto count = std::min(end - at_, into.size());
    std::ranges::copy(as_bytes(text_.substr(at_, count)), into.begin());
    at_ += count;
    return count;
  }

 private:
  std::string_view text_;
  std::size_t cut_, at_ = 0;
};

StepResult<std::unique_ptr<Transform>> make(unsigned kind) {
  if (kind == 0) return make_inflater(Wrap::gzip);
  if (kind == 1) return make_inflater(Wrap::raw);
  return make_zstd_unpacker();
}

std::string unpack(unsigned kind, std::string_view text, std::size_t cut) {
  TransformedBytes bytes(std::make_unique<Pieces>(text, cut), *make(kind), kRatio);
  std::string out;
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto got = bytes.read(buffer);
    if (!got) return got.error().error_class();
    if (*got == 0 || out.size() > kMost) return out;
    out += as_text(std::span(buffer).first(*got));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const unsigned kind = data[0] % 3;
  const auto whole = unpack(kind, text, 0);
  if (whole.size() > kMost + 4096) std::abort();
  const auto pieces = unpack(kind, text, std::min<std::size_t>(data[1], text.size()));
  if (whole.size() < 1u << 20 && pieces.size() < 1u << 20 && whole != pieces) std::abort();
  return 0;
}
