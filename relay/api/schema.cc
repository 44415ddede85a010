#include "relay/api/schema.h"

#include "shared/base/ids.h"
#include "shared/base/text.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sallyport::api {
namespace {

constexpr std::int64_t kLongestEntry = 256;

bool is_plain(std::string_view text) {
  if (steers_text(text)) return false;
  return text.empty() || (text.front() != ' ' && text.back() != ' ');
}

bool is_slug(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z' && std::ranges::all_of(text, allowed);
}

bool is_email(std::string_view text) {
  const auto at = text.find('@');
  return is_plain(text) && text.find(' ') == std::string_view::npos && at != std::string_view::npos && at > 0 &&
         at + 1 < text.size() && text.find('@', at + 1) == std::string_view::npos;
}

// One part: "#" is a number, "*" whatever there is, else the prefix of an id.
bool is_cursor_part(std::string_view part, std::string_view text) {
  if (part == "*") return !text.empty();
  if (part != "#") return is_ulid(text, part);
  return !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Its parts are joined by slashes; the last one is all that is left.
bool is_cursor(std::string_view text, std::span<const std::string_view> parts) {
  if (text.empty()) return true;
  for (const auto part : parts.first(parts.size() - 1)) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || !is_cursor_part(part, text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return is_cursor_part(parts.back(), text);
}

std::string_view fault_of_format(const Field& field, std::string_view text) {
  switch (field.format) {
    case Format::any: return is_plain(text) ? "" : "must not have control characters or spaces at its ends";
    case Format::document:
    case Format::secret: return "";
    case Format::slug:
      return is_slug(text) ? "" : "must be lower-case letters, digits and hyphens, and begin with a letter";
    case Format::email: return is_email(text) ? "" : "must be an e-mail address";
    case Format::id: return is_ulid(text, field.among[0]) ? "" : "must be an id of the right kind";
    case Format::time: return parse_rfc3339(text) ? "" : "must be a time such as 2026-01-31T09:30:00Z";
    case Format::cursor: return is_cursor(text, field.among) ? "" : "is not a cursor of this list: begin without it";
    case Format::duration: return parse_duration(text) ? "" : "must be a duration such as 30m, 24h or 90d";
  }
  return "has no format";
}

std::string listed(std::span<const std::string_view> words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string fault_of_choice(const Field& field, std::string_view text) {
  if (field.among.empty() || field.format == Format::id || field.format == Format::cursor) return {};
  if (std::ranges::find(field.among, text) != field.among.end()) return {};
  const auto close = nearest(text, field.among);
  if (close) return fmt::format("is not one of the known values (did you mean {}?)", *close);
  return "must be one of: " + listed(field.among);
}

}  // namespace

std::string fault_of_text(const Field& field, std::string_view text) {
  if (!is_valid_utf8(text)) return "is not valid UTF-8";
  const auto length = static_cast<std::int64_t>(utf8_length(text));
  if (length < field.least) return fmt::format("must have at least {} characters", field.least);
  if (length > field.most) return fmt::format("must have at most {} characters", field.most);
  if (const auto fault = fault_of_format(field, text); !fault.empty()) return std::string(fault);
  if (auto fault = fault_of_choice(field, text); !fault.empty()) return fault;
  return field.fault == nullptr ? std::string() : field.fault(text);
}

namespace {

std::string fault_of_integer(const Field& field, std::int64_t number) {
  if (number >= field.least && number <= field.most) return {};
  return fmt::format("must be from {} to {}", field.least, field.most);
}

std::string fault_of_texts(const Field& field, const ValueList& list) {
  const auto count = static_cast<std::int64_t>(list.size());
  if (count < field.least || count > field.most) {
    return fmt::format("must have from {} to {} entries", field.least, field.most);
  }
  Field entry = field;
  entry.least = 1;
  entry.most = kLongestEntry;
  for (const auto& one : list) {
    if (!one.is(Value::Kind::string)) return "must be a list of texts";
    if (auto fault = fault_of_text(entry, one.as_string()); !fault.empty()) return "has an entry that " + fault;
  }
  return {};
}

std::string fault_of(const Field& field, const Value& value) {
  switch (field.type) {
    case FieldType::text:
      if (!value.is(Value::Kind::string)) return "must be text";
      return field.format == Format::secret ? "" : fault_of_text(field, value.as_string());  // what stands for it
    case FieldType::integer:
      return value.is(Value::Kind::int64) ? fault_of_integer(field, value.as_int()) : "must be a whole number";
    case FieldType::boolean: return value.is(Value::Kind::boolean) ? "" : "must be true or false";
    case FieldType::object: return value.is(Value::Kind::map) ? "" : "must be an object";
    case FieldType::texts:
      return value.is(Value::Kind::list) ? fault_of_texts(field, value.as_list()) : "must be a list of texts";
  }
  return "has no type";
}

std::string fault_of_name(const Schema& schema, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& field : schema.fields) names.push_back(field.name);
  const auto close = nearest(name, names);
  if (close) return fmt::format("has an unknown member (did you mean \"{}\"?)", *close);
  return "has an unknown member; known ones are: " + listed(names);
}

// `place` is where the object is: "" or "/limits".
void collect(const Schema& schema, const ValueMap& members, const std::string& place, Violations& found) {
  for (const auto& [key, member] : members) {
    if (found.size() >= kMostViolations) return;
    const std::string_view name = key.as_string();
    const auto field = std::ranges::find(schema.fields, name, &Field::name);
    if (field == schema.fields.end()) {
      found.push_back({place.empty() ? "/" : place, fault_of_name(schema, name)});
    } else if (member.is_null() && field->presence == Presence::clearable) {
      continue;
    } else if (auto fault = fault_of(*field, member); !fault.empty()) {
      found.push_back({fmt::format("{}/{}", place, name), std::move(fault)});
    } else if (field->members != nullptr) {
      collect(*field->members, member.as_map(), fmt::format("{}/{}", place, name), found);
    }
  }
  for (const auto& field : schema.fields) {
    if (field.presence == Presence::required && !members.contains(Value(field.name))) {
      found.push_back({fmt::format("{}/{}", place, field.name), "is missing"});
    }
  }
}

}  // namespace

Violations check_object(const Schema& schema, const Value& value) {
  if (!value.is(Value::Kind::map)) return {{"", "must be a JSON object"}};
  Violations found;
  collect(schema, value.as_map(), "", found);
  found.resize(std::min(found.size(), kMostViolations));
  return found;
}

std::expected<Value, std::string> read_text_value(const Field& field, std::string_view text) {
  Value value(text);
  if (field.type == FieldType::integer) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size()) return std::unexpected("must be a whole number");
    value = Value(number);
  } else if (field.type == FieldType::boolean) {
    if (text != "true" && text != "false") return std::unexpected("must be true or false");
    value = Value(text == "true");
  }
  if (auto fault = fault_of(field, value); !fault.empty()) return std::unexpected(std::move(fault));
  return value;
}

}  // namespace sallyport::api
