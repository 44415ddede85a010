#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/value.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors {

// Readers and writers of bodies. They block, so they are used on the agent's worker pool only, by one thread at a time;
// pulling is the back-pressure. A reader never holds more than a bounded piece of its body in memory.

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  virtual StepResult<std::size_t> read(std::span<std::byte> into) = 0;  // 0 = the end
  // Leaves out the next `count` bytes, and gives how many: fewer only at the end. Takes as long as reading them, unless
  // a body knows better.
  virtual StepResult<std::uint64_t> skip(std::uint64_t count);
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual const std::vector<std::string>& columns() const = 0;
  virtual StepResult<std::optional<Value>> next() = 0;  // a map, or nullopt at the end
};

// A body under construction: visible to nobody until commit(); dropped without it, it leaves nothing behind.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  virtual StepResult<void> write(std::span<const std::byte> bytes) = 0;
  virtual StepResult<Handle> commit(ValueMap attributes) = 0;
};

// Everything a step may do with bodies. Handles come from earlier steps or the trigger; kinds are
//   "file"  a file below a connection's root (connection, path, size, mtime, identity): reading it after it changed is
//           an error
//   "rows"  a description of how to read rows: nothing is copied. Attributes `format` ("stored", "csv", "ndjson"),
//           `source` (a handle that opens as bytes), the format's options, and `batch` when foreach shall see lists of
//           that many rows
//   "spool" an encrypted file of the agent's own, alive as long as its job
class Bodies {
 public:
  virtual ~Bodies() = default;
  virtual StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle& handle) = 0;
  virtual StepResult<std::unique_ptr<RowReader>> open_rows(const Handle& handle) = 0;
  virtual StepResult<std::unique_ptr<BodyWriter>> new_spool(std::string media_type) = 0;
};

// Opens the handles of one kind; the composition root hands one per kind to the Bodies it builds.
class HandleOpener {
 public:
  virtual ~HandleOpener() = default;
  virtual std::string_view kind() const = 0;
  virtual StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle& handle, Bodies& others) = 0;
  virtual StepResult<std::unique_ptr<RowReader>> open_rows(const Handle& handle, Bodies& others) = 0;
};

}  // namespace sallyport::connectors
