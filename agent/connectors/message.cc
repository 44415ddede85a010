#include "agent/connectors/message.h"

#include "shared/base/json.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::connectors {
namespace {

constexpr std::size_t kPiece = 64u << 10;

std::unexpected<StepError> too_large(std::uint64_t limit) {
  return step_fail("too_large", fmt::format("the message has more than {} bytes, which the connection's `max_message` "
                                            "or the policy allows",
                                            limit));
}

StepResult<std::string> read_whole(ByteReader& reader, std::uint64_t limit) {
  std::string content;
  std::array<std::byte, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    SP_TRY(const auto got, reader.read(piece));
    if (got == 0) return content;
    if (content.size() + got > limit) return too_large(limit);
    content += as_text(std::span(piece).first(got));
  }
}

}  // namespace

StepResult<std::string> message_body(const Arguments& arguments, Bodies& bodies, std::uint64_t limit) {
  if (arguments.find("body") != nullptr) {
    SP_TRY(const auto handle, arguments.handle("body"));
    SP_TRY(const auto reader, bodies.open_bytes(handle));
    return read_whole(*reader, limit);
  }
  std::string content;
  if (arguments.find("text") != nullptr) {
    SP_TRY(const auto bytes, arguments.content("text"));
    content = as_text(bytes);
  } else {
    SP_TRY(const auto* value, arguments.any("json"));
    content = to_json(*value);
  }
  if (content.size() > limit) return too_large(limit);
  return content;
}

void add_header(ValueMap& headers, std::string_view name, Value value) {
  if (is_valid_utf8(name) && !is_reserved_name(name)) headers.insert_or_assign(Value(name), std::move(value));
}

}  // namespace sallyport::connectors
