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

Value text_or_base64(std::string_view bytes) {
  return is_valid_utf8(bytes) ? Value(bytes) : Value(base64(as_bytes(bytes)));
}

void add_body(ValueMap& data, std::string body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  Value json;
  if (first != std::string::npos && (body[first] == '{' || body[first] == '['))
    json = parse_json(body).value_or(Value());
  const bool is_text = is_valid_utf8(body);
  data.insert_or_assign("json", std::move(json));
  data.insert_or_assign("base64", is_text ? Value() : Value(base64(as_bytes(body))));
  data.insert_or_assign("body", is_text ? Value(std::move(body)) : Value());
}

void add_header(ValueMap& headers, std::string_view name, Value value) {
  if (is_valid_utf8(name) && !is_reserved_name(name)) headers.insert_or_assign(Value(name), std::move(value));
}

bool fits_event(const Value& data) { return stored_json(data).size() <= kMostEventBytes; }

}  // namespace sallyport::connectors
