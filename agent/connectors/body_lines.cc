#include "agent/connectors/body_lines.h"

#include <array>

namespace sallyport::connectors {

StepResult<std::optional<std::string>> BodyLines::next() {
  for (;;) {
    SP_TRY(auto line, lines_.next());
    if (line || ended_) return line;
    std::array<std::byte, 65536> buffer;
    SP_TRY(const auto got, source_->read(buffer));
    if (got > 0) {
      lines_.feed(std::span(buffer).first(got));
    } else {
      ended_ = true;
      lines_.finish();
    }
  }
}

StepResult<std::unique_ptr<ByteReader>> open_source(const Handle& rows, Bodies& bodies) {
  const auto source = rows.attributes.find(Value("source"));
  if (source == rows.attributes.end() || !source->second.is(Value::Kind::handle))
    return step_fail("invalid", "these rows lack their source");
  return bodies.open_bytes(source->second.as_handle());
}

}  // namespace sallyport::connectors
