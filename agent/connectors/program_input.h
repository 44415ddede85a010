#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/bodies.h"
#include "agent/platform/process.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sallyport::connectors {

// Gives a program its standard input as it reads it: the step's `stdin`, text, bytes or a body of any size, of which
// one piece at a time is in memory. The arguments must outlive it.
class ProgramInput final : public platform::ProcessInput {
 public:
  // Has read the first piece of a body, so that one which cannot be opened starts no program.
  static StepResult<std::unique_ptr<ProgramInput>> open(const Arguments& arguments, Bodies& bodies);
  ~ProgramInput() override;

  Result<std::span<const std::byte>> next_piece() override;

  // Why next_piece() failed.
  const std::optional<StepError>& error() const { return error_; }

 private:
  StepResult<void> read_piece();

  std::unique_ptr<ByteReader> reader_;  // of a body
  std::vector<std::byte> buffer_;
  std::span<const std::byte> piece_;  // not given yet
  std::optional<StepError> error_;
};

}  // namespace sallyport::connectors
