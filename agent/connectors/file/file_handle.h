#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/site.h"
#include "agent/platform/beneath.h"

#include <memory>
#include <string>
#include <string_view>

namespace sallyport::connectors::file {

// A handle of kind "file". Attributes: connection, path, name, size, mtime (RFC 3339), mtime_ns, identity, and sha256
// (hex) where it was computed. Size, mtime_ns and identity together say which state of the file is meant.
Handle make_handle(std::string_view connection, std::string_view path, const platform::FileFacts& facts);

StepResult<platform::Root> open_root(const Site& site, std::string_view connection);

// Opens handles of kind "file": as bytes only. Class "changed" when the file is not in the state that the handle speaks
// of, also when it changes while it is read; class "policy" when the local policy no longer allows to read it.
class FileOpener final : public HandleOpener {
 public:
  explicit FileOpener(Site site) : site_(site) {}
  std::string_view kind() const override { return "file"; }
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle& handle, Bodies& others) override;
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle& handle, Bodies& others) override;

 private:
  Site site_;
};

}  // namespace sallyport::connectors::file
