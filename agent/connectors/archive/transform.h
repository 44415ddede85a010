#pragma once

#include "agent/connectors/bodies.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace sallyport::connectors::archive {

using Check = std::function<StepResult<void>()>;  // asked between pieces of work: whether it may go on

// A body that is read no further once the check fails.
class CheckedBytes final : public ByteReader {
 public:
  CheckedBytes(std::unique_ptr<ByteReader> source, Check check)
      : source_(std::move(source)), check_(std::move(check)) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    SP_CHECK(check_());
    return source_->read(into);
  }

 private:
  std::unique_ptr<ByteReader> source_;
  Check check_;
};

enum class Input { more, last };  // whether bytes come after those that are given

// Bytes in, bytes out, by a compression library. No IO; memory by its format, not by what goes through.
class Transform {
 public:
  struct Progress {
    std::size_t taken = 0, given = 0;
    bool complete = false;  // what was taken is whole and all of it was given: the input may end here
  };
  virtual ~Transform() = default;
  // Takes of `in` and gives into `out`, which has room, as far as it can. Errors: format, too_large.
  virtual StepResult<Progress> step(std::span<const std::byte> in, std::span<std::byte> out, Input input) = 0;
};

// How many bytes may come out for each that went in, once more than a MiB came out. Packing has no such limit.
inline constexpr std::uint64_t kAnyRatio = UINT64_MAX;

// What a transform makes of a body, pulled. Errors: those of the source and of the transform; "format" when the source
// ends in the middle, "too_large" beyond `ratio`.
class TransformedBytes final : public ByteReader {
 public:
  TransformedBytes(std::unique_ptr<ByteReader> source, std::unique_ptr<Transform> transform, std::uint64_t ratio)
      : source_(std::move(source)), transform_(std::move(transform)), ratio_(ratio) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override;

 private:
  StepResult<void> refill();
  StepResult<Transform::Progress> step(std::span<std::byte> into);

  std::unique_ptr<ByteReader> source_;
  std::unique_ptr<Transform> transform_;
  std::uint64_t ratio_, taken_ = 0, given_ = 0;
  std::array<std::byte, 65536> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  bool source_ended_ = false;
};

}  // namespace sallyport::connectors::archive
