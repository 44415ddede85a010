#include "agent/connectors/archive/transform.h"

#include <fmt/format.h>

namespace sallyport::connectors::archive {
namespace {

constexpr std::uint64_t kFreely = 1u << 20;

}  // namespace

StepResult<std::size_t> TransformedBytes::read(std::span<std::byte> into) {
  for (;;) {
    SP_CHECK(refill());
    SP_TRY(const auto progress, step(into));
    if (progress.given > 0) return progress.given;
    const bool at_end = source_ended_ && at_ == filled_;
    if (at_end && progress.complete) return std::size_t{0};
    if (at_end && progress.taken == 0) return step_fail("format", "the packed bytes end in the middle: they were cut");
  }
}

StepResult<void> TransformedBytes::refill() {
  if (at_ < filled_ || source_ended_) return {};
  SP_TRY(filled_, source_->read(buffer_));
  at_ = 0;
  source_ended_ = filled_ == 0;
  return {};
}

StepResult<Transform::Progress> TransformedBytes::step(std::span<std::byte> into) {
  const auto rest = std::span(buffer_).subspan(at_, filled_ - at_);
  SP_TRY(const auto progress, transform_->step(rest, into, source_ended_ ? Input::last : Input::more));
  at_ += progress.taken;
  taken_ += progress.taken;
  given_ += progress.given;
  if (given_ > kFreely && given_ / ratio_ > taken_)
    return step_fail("too_large",
                     fmt::format("more than {} bytes come out for each packed one, the limit (`max_ratio`)", ratio_));
  return progress;
}

}  // namespace sallyport::connectors::archive
