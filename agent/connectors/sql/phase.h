#pragma once

namespace sallyport::connectors::sql {

// Where a statement stands when it is refused: before it runs, no value has been read.
enum class Phase { prepare, run };

}  // namespace sallyport::connectors::sql
