#include "agent/connectors/arguments.h"

#include <fmt/format.h>

namespace sallyport::connectors {
namespace {

std::unexpected<StepError> wrong(std::string_view name, std::string_view expected) {
  return step_fail("invalid", fmt::format("the argument \"{}\" is missing or not {}", name, expected));
}

}  // namespace

const Value* Arguments::present(std::string_view name) const {
  const auto* value = map_.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

StepResult<std::string> Arguments::text(std::string_view name) const {
  const auto* value = present(name);
  if (value == nullptr || !value->is(Value::Kind::string)) return wrong(name, "text");
  return value->as_string();
}

std::string Arguments::text_or(std::string_view name, std::string_view fallback) const {
  return text(name).value_or(std::string(fallback));
}

StepResult<std::int64_t> Arguments::integer(std::string_view name) const {
  const auto* value = present(name);
  if (value == nullptr || !value->is(Value::Kind::int64)) return wrong(name, "an integer");
  return value->as_int();
}

std::int64_t Arguments::integer_or(std::string_view name, std::int64_t fallback) const {
  return integer(name).value_or(fallback);
}

std::optional<std::chrono::milliseconds> Arguments::duration(std::string_view name) const {
  const auto* value = present(name);
  if (value == nullptr) return std::nullopt;
  if (value->is(Value::Kind::string)) return parse_duration(value->as_string());
  if (!value->is(Value::Kind::duration)) return std::nullopt;
  return std::chrono::seconds(value->as_duration().seconds) +
         std::chrono::milliseconds(value->as_duration().nanos / 1'000'000);
}

bool Arguments::is_true(std::string_view name) const {
  const auto* value = present(name);
  return value != nullptr && value->is(Value::Kind::boolean) && value->as_bool();
}

StepResult<std::span<const std::byte>> Arguments::content(std::string_view name) const {
  const auto* value = present(name);
  if (value != nullptr && value->is(Value::Kind::string)) return as_bytes(value->as_string());
  if (value != nullptr && value->is(Value::Kind::bytes)) return std::as_bytes(std::span(value->as_bytes()));
  return wrong(name, "text or bytes");
}

StepResult<Handle> Arguments::handle(std::string_view name) const {
  const auto* value = present(name);
  if (value == nullptr || !value->is(Value::Kind::handle)) return wrong(name, "a body");
  return value->as_handle();
}

StepResult<const Value*> Arguments::any(std::string_view name) const {
  const auto* value = map_.find(name);
  if (value == nullptr) return wrong(name, "a value");
  return value;
}

StepResult<std::string> text_attribute(const Handle& handle, std::string_view name) {
  const auto it = handle.attributes.find(Value(name));
  if (it != handle.attributes.end() && it->second.is(Value::Kind::string)) return it->second.as_string();
  return step_fail("invalid", fmt::format("a body of kind \"{}\" lacks its attribute \"{}\"", handle.kind, name));
}

StepResult<std::int64_t> integer_attribute(const Handle& handle, std::string_view name) {
  const auto it = handle.attributes.find(Value(name));
  if (it != handle.attributes.end() && it->second.is(Value::Kind::int64)) return it->second.as_int();
  return step_fail("invalid", fmt::format("a body of kind \"{}\" lacks its attribute \"{}\"", handle.kind, name));
}

}  // namespace sallyport::connectors
