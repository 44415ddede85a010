#include "agent/connectors/http/json_pointer.h"

#include <charconv>
#include <optional>

namespace sallyport::connectors::http {
namespace {

// A token of a pointer with its escapes read.
std::optional<std::string> unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out += token[i];
      continue;
    }
    ++i;
    if (i == token.size() || (token[i] != '0' && token[i] != '1')) return std::nullopt;
    out += token[i] == '0' ? '~' : '/';
  }
  return out;
}

const Value* step_into(const Value& value, const std::string& token) {
  if (value.is(Value::Kind::map)) return value.find(token);
  if (!value.is(Value::Kind::list)) return nullptr;
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool whole = problem == std::errc() && end == token.data() + token.size();
  const bool plain = token == "0" || !token.starts_with('0');
  return whole && plain && index < value.as_list().size() ? &value.as_list()[index] : nullptr;
}

}  // namespace

const Value* find_by_pointer(const Value& value, std::string_view pointer) {
  const Value* at = &value;
  while (at != nullptr && !pointer.empty()) {
    if (!pointer.starts_with('/')) return nullptr;
    pointer.remove_prefix(1);
    const auto token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    const auto name = unescaped(token);
    at = name ? step_into(*at, *name) : nullptr;
  }
  return at;
}

bool is_json_pointer(std::string_view text) {
  if (!text.empty() && !text.starts_with('/')) return false;
  return unescaped(text).has_value();
}

}  // namespace sallyport::connectors::http
