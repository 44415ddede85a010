#pragma once

#include "agent/connectors/bodies.h"
#include "agent/platform/process.h"

#include <optional>
#include <string>

namespace sallyport::connectors {

inline constexpr std::size_t kMaxInlineText = 64u << 10;
inline constexpr std::size_t kMaxInlineJson = 128u << 10;  // half of what a step may give
inline constexpr std::size_t kStderrTail = 8u << 10;

// Takes a program's output: standard output into a spool, the end of standard error into memory, both together at most
// `limit` bytes.
class ProgramOutput final : public platform::ProcessOutput {
 public:
  ProgramOutput(BodyWriter& spool, std::uint64_t limit) : spool_(spool), limit_(limit) {}

  Result<void> take_stdout(std::span<const std::byte> bytes) override;
  Result<void> take_stderr(std::span<const std::byte> bytes) override;

  // Why take_stdout refused, when the spool did.
  const std::optional<StepError>& spool_error() const { return spool_error_; }
  std::optional<std::string> text() const;  // all of standard output, when it is short and valid UTF-8
  std::string stderr_tail() const;

 private:
  Result<void> count(std::size_t bytes);
  BodyWriter& spool_;
  std::uint64_t limit_, total_ = 0;
  std::optional<StepError> spool_error_;
  std::string head_, tail_;
  bool long_ = false;
};

}  // namespace sallyport::connectors
