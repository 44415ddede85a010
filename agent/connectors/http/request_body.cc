#include "agent/connectors/http/request_body.h"

#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "shared/base/secret.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

constexpr std::array<std::string_view, 5> kKinds{"json", "form", "text", "parts", "body"};

bool is_header_text(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

StepResult<std::string> media_type(const Arguments& arguments, std::string_view fallback) {
  auto type = arguments.text_or("content_type", fallback);
  if (!is_header_text(type) || type.size() > 256)
    return step_fail("invalid", "the argument \"content_type\" has a line break or is too long");
  return type;
}

bool holds_body(const Value& value) {
  if (value.is(Value::Kind::handle)) return true;
  if (value.is(Value::Kind::list)) return std::ranges::any_of(value.as_list(), holds_body);
  if (!value.is(Value::Kind::map)) return false;
  return std::ranges::any_of(value.as_map(), [](const auto& entry) { return holds_body(entry.second); });
}

// RFC 7578 section 4.2, with the escapes of the URL standard.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') {
      out += "%22";
    } else if (c == '\r' || c == '\n') {
      out += c == '\r' ? "%0D" : "%0A";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

StepResult<void> add_part(const Value& part, std::string_view boundary, RequestBody& body) {
  const Arguments fields(part);
  SP_TRY(const auto name, fields.text("name"));
  auto head = fmt::format("--{}\r\nContent-Disposition: form-data; name={}", boundary, quoted(name));
  if (const auto filename = fields.text_or("filename", ""); !filename.empty()) head += "; filename=" + quoted(filename);
  const auto* content = fields.find("body");
  if ((content == nullptr) == (fields.find("text") == nullptr))
    return step_fail("invalid", "each of \"parts\" has either \"text\" or \"body\"");
  SP_TRY(const auto type, media_type(fields, content != nullptr ? "application/octet-stream" : ""));
  if (!type.empty()) head += "\r\nContent-Type: " + type;
  body.add(head + "\r\n\r\n");
  if (content != nullptr) {
    SP_TRY(auto handle, fields.handle("body"));
    body.add(std::move(handle));
  } else {
    SP_TRY(auto text, fields.text("text"));
    body.add(std::move(text));
  }
  body.add(std::string("\r\n"));
  return {};
}

StepResult<std::unique_ptr<RequestBody>> multipart(const Value& parts, Bodies& bodies) {
  const auto boundary = "sallyport-" + hex(crypto::random_bytes(16));
  auto body = std::make_unique<RequestBody>("multipart/form-data; boundary=" + boundary, &bodies);
  if (!parts.is(Value::Kind::list)) return step_fail("invalid", "the argument \"parts\" is not a list");
  for (const auto& part : parts.as_list()) SP_CHECK(add_part(part, boundary, *body));
  body->add(fmt::format("--{}--\r\n", boundary));
  return body;
}

StepResult<std::unique_ptr<RequestBody>> make(std::string_view kind, const Arguments& arguments, Bodies& bodies) {
  const Value& given = *arguments.find(kind);
  if (kind == "parts") return multipart(given, bodies);
  constexpr std::array<std::string_view, 5> kTypes{"application/json", "application/x-www-form-urlencoded",
                                                   "text/plain; charset=utf-8", "", "application/octet-stream"};
  const auto index = static_cast<std::size_t>(std::ranges::find(kKinds, kind) - kKinds.begin());
  SP_TRY(auto type, media_type(arguments, kTypes[index]));
  auto body = std::make_unique<RequestBody>(std::move(type), &bodies);
  if (kind == "json") {
    if (holds_body(given)) return step_fail("invalid", "a body cannot be written as JSON; use one of its attributes");
    body->add(to_json(given));
  } else if (kind == "form") {
    SP_TRY(auto fields, encode_fields(given, "form"));
    body->add(std::move(fields));
  } else if (kind == "text") {
    SP_TRY(auto text, arguments.text("text"));
    body->add(std::move(text));
  } else {
    SP_TRY(auto handle, arguments.handle("body"));
    body->add(std::move(handle));
  }
  return body;
}

}  // namespace

StepResult<std::unique_ptr<RequestBody>> RequestBody::of(const Arguments& arguments, Bodies& bodies) {
  std::vector<std::string_view> given;
  std::ranges::copy_if(kKinds, std::back_inserter(given), [&](auto kind) { return arguments.find(kind) != nullptr; });
  if (given.size() > 1)
    return step_fail("invalid", "a request has one of \"json\", \"form\", \"text\", \"parts\" and \"body\"");
  if (given.empty()) return nullptr;
  SP_TRY(auto body, make(given.front(), arguments, bodies));
  SP_CHECK(body->rewind());  // what cannot be opened sends no request
  return body;
}

RequestBody::~RequestBody() {
  for (auto& piece : pieces_) {
    if (auto* text = std::get_if<std::string>(&piece)) wipe(text->data(), text->size());
  }
}

StepResult<void> RequestBody::rewind() {
  piece_ = at_ = 0;
  reader_.reset();
  for (const auto& piece : pieces_) {
    const auto* handle = std::get_if<Handle>(&piece);
    if (handle != nullptr) SP_CHECK(bodies_->open_bytes(*handle));
  }
  return {};
}

StepResult<std::size_t> RequestBody::read(std::span<std::byte> into) {
  for (; piece_ < pieces_.size(); ++piece_, at_ = 0, reader_.reset()) {
    if (const auto* text = std::get_if<std::string>(&pieces_[piece_])) {
      const auto left = as_bytes(*text).subspan(at_);
      const auto count = std::min(left.size(), into.size());
      std::ranges::copy(left.first(count), into.begin());
      at_ += count;
      if (count > 0) return count;
      continue;
    }
    if (!reader_) {
      SP_TRY(reader_, bodies_->open_bytes(std::get<Handle>(pieces_[piece_])));
    }
    SP_TRY(const auto count, reader_->read(into));
    if (count > 0) return count;
  }
  return 0;
}

std::optional<std::uint64_t> RequestBody::size() const {
  std::uint64_t total = 0;
  for (const auto& piece : pieces_) {
    if (const auto* text = std::get_if<std::string>(&piece)) {
      total += text->size();
      continue;
    }
    const auto size = integer_attribute(std::get<Handle>(piece), "size");
    if (!size || *size < 0) return std::nullopt;
    total += static_cast<std::uint64_t>(*size);
  }
  return total;
}

StepResult<std::string> field_text(const Value& value, std::string_view what) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string();
    case Value::Kind::boolean:
    case Value::Kind::int64:
    case Value::Kind::uint64:
    case Value::Kind::float64: return to_json(value);
    default: return step_fail("invalid", fmt::format("a value of \"{}\" is no text, number or truth value", what));
  }
}

StepResult<std::string> encode_fields(const Value& map, std::string_view what) {
  if (!map.is(Value::Kind::map)) return step_fail("invalid", fmt::format("the argument \"{}\" is not a mapping", what));
  std::string out;
  const auto add = [&](const Value& name, const Value& value) -> StepResult<void> {
    if (value.is_null()) return {};
    SP_TRY(const auto key, field_text(name, what));
    SP_TRY(const auto text, field_text(value, what));
    out += (out.empty() ? "" : "&") + percent_encode(key) + "=" + percent_encode(text);
    return {};
  };
  for (const auto& [name, value] : map.as_map()) {
    if (!value.is(Value::Kind::list)) {
      SP_CHECK(add(name, value));
      continue;
    }
    for (const auto& one : value.as_list()) SP_CHECK(add(name, one));
  }
  return out;
}

}  // namespace sallyport::connectors::http
