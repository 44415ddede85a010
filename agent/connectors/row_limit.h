#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <cstdint>

namespace sallyport::connectors {

// The largest row a step may read: as much as a line of the spool may hold, or nobody could read it back.
inline constexpr std::size_t kMaxRow = 4u << 20;

// Class "too_large" when a row is over kMaxRow; `number` counts from 1.
StepResult<void> check_row(std::uint64_t number, std::uint64_t bytes);

}  // namespace sallyport::connectors
