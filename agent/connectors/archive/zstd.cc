#include "agent/connectors/archive/zstd.h"

#include "agent/platform/shared_library.h"

#include <zstd.h>
#include <zstd_errors.h>

namespace sallyport::connectors::archive {
namespace {

#define SALLYPORT_ZSTD_FUNCTIONS(X) \
  X(ZSTD_CCtx_setParameter)         \
  X(ZSTD_DCtx_setParameter)         \
  X(ZSTD_compressStream2)           \
  X(ZSTD_createCCtx)                \
  X(ZSTD_createDCtx)                \
  X(ZSTD_decompressStream)          \
  X(ZSTD_freeCCtx)                  \
  X(ZSTD_freeDCtx)                  \
  X(ZSTD_getErrorCode)              \
  X(ZSTD_isError)

struct Zstd {
  SALLYPORT_ZSTD_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

Result<Zstd> open_zstd() {
  SP_TRY(const auto library, platform::SharedLibrary::load("libzstd.so.1"));
  Zstd functions;
  SALLYPORT_ZSTD_FUNCTIONS(SALLYPORT_FIND_FUNCTION)
  return functions;
}

constinit platform::OnDemand<Zstd> library([] { return open_zstd(); });
const Zstd& zstd() { return library.functions(); }

constexpr int kWindowLog = 23;

StepResult<void> load_zstd() {
  if (library.load()) return {};
  return step_fail("internal", "Zstandard cannot be used on this machine (Debian: the package libzstd1)");
}

class Packer final : public Transform {
 public:
  explicit Packer(int level) : context_(zstd().ZSTD_createCCtx()) {
    zstd().ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    zstd().ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~Packer() override { zstd().ZSTD_freeCCtx(context_); }

  StepResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out, Input input) override {
    if (complete_) return Progress{.complete = true};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer into{out.data(), out.size(), 0};
    const auto left =
        zstd().ZSTD_compressStream2(context_, &into, &from, input == Input::last ? ZSTD_e_end : ZSTD_e_continue);
    if (zstd().ZSTD_isError(left) != 0) return step_fail("internal", "Zstandard cannot pack");
    complete_ = input == Input::last && left == 0;
    return Progress{.taken = from.pos, .given = into.pos, .complete = complete_};
  }

 private:
  ZSTD_CCtx* context_;
  bool complete_ = false;
};

class Unpacker final : public Transform {
 public:
  Unpacker() : context_(zstd().ZSTD_createDCtx()) {
    zstd().ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLog);
  }
  ~Unpacker() override { zstd().ZSTD_freeDCtx(context_); }

  StepResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out, Input) override {
    if (complete_ && in.empty()) return Progress{.complete = true};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer into{out.data(), out.size(), 0};
    const auto left = zstd().ZSTD_decompressStream(context_, &into, &from);
    if (zstd().ZSTD_isError(left) != 0) return refused(zstd().ZSTD_getErrorCode(left));
    complete_ = left == 0;
    return Progress{.taken = from.pos, .given = into.pos, .complete = complete_};
  }

 private:
  static std::unexpected<StepError> refused(ZSTD_ErrorCode why) {
    if (why == ZSTD_error_frameParameter_windowTooLarge)
      return step_fail("too_large", "this was packed with a window over 8 MiB (`--ultra`, `--long`)");
    if (why == ZSTD_error_memory_allocation) return step_fail("internal", "Zstandard has no memory to unpack");
    return step_fail("format", "this is no Zstandard, or it is damaged");
  }

  ZSTD_DCtx* context_;
  bool complete_ = false;
};

}  // namespace

StepResult<std::unique_ptr<Transform>> make_zstd_packer(int level) {
  SP_CHECK(load_zstd());
  return std::make_unique<Packer>(level);
}

StepResult<std::unique_ptr<Transform>> make_zstd_unpacker() {
  SP_CHECK(load_zstd());
  return std::make_unique<Unpacker>();
}

}  // namespace sallyport::connectors::archive
