#include "agent/connectors/archive/zlib.h"

#include "agent/connectors/translate.h"

#include <algorithm>
#include <limits>

#include <zlib.h>

namespace sallyport::connectors::archive {
namespace {

#define SALLYPORT_ZLIB_FUNCTIONS(X) \
  X(crc32)                          \
  X(deflate)                        \
  X(deflateEnd)                     \
  X(deflateInit2_)                  \
  X(inflate)                        \
  X(inflateEnd)                     \
  X(inflateInit2_)                  \
  X(inflateReset)

struct Zlib {
  SALLYPORT_ZLIB_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

Result<Zlib> open_zlib() {
  SP_TRY(const auto library, platform::SharedLibrary::load("libz.so.1"));
  Zlib functions;
  SALLYPORT_ZLIB_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Zlib> library([] { return open_zlib(); });

StepResult<void> load_zlib() {
  if (library.load()) return {};
  return step_fail("internal", "zlib cannot be used on this machine (Debian: the package zlib1g)");
}

constexpr int kMemoryLevel = 8;
constexpr int window_bits(Wrap wrap) { return wrap == Wrap::gzip ? MAX_WBITS + 16 : -MAX_WBITS; }

uInt room(std::size_t size) { return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max())); }

void point(z_stream& stream, std::span<const std::byte> in, std::span<std::byte> out) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.avail_in = room(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = room(out.size());
}

Transform::Progress progress_of(const z_stream& stream, std::size_t in, std::size_t out, bool complete) {
  return {.taken = room(in) - stream.avail_in, .given = room(out) - stream.avail_out, .complete = complete};
}

class Deflater final : public Transform {
 public:
  Deflater() = default;
  ~Deflater() override { library.functions().deflateEnd(&stream_); }

  StepResult<void> begin(Wrap wrap, int level) {
    const int done = library.functions().deflateInit2_(&stream_, level, Z_DEFLATED, window_bits(wrap), kMemoryLevel,
                                                       Z_DEFAULT_STRATEGY, ZLIB_VERSION, sizeof stream_);
    if (done != Z_OK) return step_fail("internal", "zlib cannot begin to pack");
    return {};
  }

  StepResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out, Input input) override {
    if (complete_) return Progress{.complete = true};
    point(stream_, in, out);
    const int done = library.functions().deflate(&stream_, input == Input::last ? Z_FINISH : Z_NO_FLUSH);
    complete_ = done == Z_STREAM_END;
    if (done != Z_OK && done != Z_BUF_ERROR && !complete_) return step_fail("internal", "zlib cannot pack");
    return progress_of(stream_, in.size(), out.size(), complete_);
  }

 private:
  z_stream stream_{};
  bool complete_ = false;
};

class Inflater final : public Transform {
 public:
  explicit Inflater(Wrap wrap) : wrap_(wrap) {}
  ~Inflater() override { library.functions().inflateEnd(&stream_); }

  StepResult<void> begin() {
    const int done = library.functions().inflateInit2_(&stream_, window_bits(wrap_), ZLIB_VERSION, sizeof stream_);
    if (done != Z_OK) return step_fail("internal", "zlib cannot begin to unpack");
    return {};
  }

  StepResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out, Input) override {
    if (complete_ && in.empty()) return Progress{.complete = true};
    if (complete_) SP_CHECK(next_member());
    point(stream_, in, out);
    const int done = library.functions().inflate(&stream_, Z_NO_FLUSH);
    complete_ = done == Z_STREAM_END;
    if (done == Z_MEM_ERROR) return step_fail("internal", "zlib has no memory to unpack");
    if (done != Z_OK && done != Z_BUF_ERROR && !complete_) return damaged();
    return progress_of(stream_, in.size(), out.size(), complete_);
  }

 private:
  StepResult<void> next_member() {
    if (wrap_ == Wrap::raw) return step_fail("format", "bytes follow the end of what was packed");
    library.functions().inflateReset(&stream_);
    return {};
  }
  std::unexpected<StepError> damaged() const {
    return step_fail(
        "format", wrap_ == Wrap::gzip ? "this is no gzip, or it is damaged" : "what was packed by DEFLATE is damaged");
  }

  Wrap wrap_;
  z_stream stream_{};
  bool complete_ = false;
};

}  // namespace

StepResult<std::unique_ptr<Transform>> make_deflater(Wrap wrap, int level) {
  SP_CHECK(load_zlib());
  auto deflater = std::make_unique<Deflater>();
  SP_CHECK(deflater->begin(wrap, level));
  return deflater;
}

StepResult<std::unique_ptr<Transform>> make_inflater(Wrap wrap) {
  SP_CHECK(load_zlib());
  auto inflater = std::make_unique<Inflater>(wrap);
  SP_CHECK(inflater->begin());
  return inflater;
}

StepResult<Crc32> Crc32::begin() {
  SP_CHECK(load_zlib());
  return Crc32();
}

void Crc32::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(room(bytes.size()));
    value_ = static_cast<std::uint32_t>(library.functions().crc32(value_, reinterpret_cast<const Bytef*>(piece.data()),
                                                                  static_cast<uInt>(piece.size())));
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace sallyport::connectors::archive
