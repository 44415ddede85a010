#include "relay/keys/providers/json_answer.h"

#include "shared/base/json.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sallyport::keys {
namespace {

constexpr JsonLimits kLimits{.max_bytes = outbound::kMaxHttpsAnswer, .max_depth = 8};
constexpr std::size_t kShown = 200;
constexpr char kMark = '\x7f';

std::unexpected<Error> not_understood(std::string why) {
  return fail(Errc::unavailable, "the answer is not understood: " + std::move(why));
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Where the text begins and ends that follows `"name" :` for the first time.
std::optional<std::span<char>> member_text(std::string& json, std::string_view name) {
  auto at = json.find(fmt::format("\"{}\"", name));
  if (at == json.npos) return std::nullopt;
  at += name.size() + 2;
  const auto skip_spaces = [&] {
    while (at < json.size() && is_space(json[at])) ++at;
  };
  for (const char wanted : {':', '"'}) {
    skip_spaces();
    if (at >= json.size() || json[at] != wanted) return std::nullopt;
    ++at;
  }
  const auto end = json.find_first_of("\"\\", at);
  if (end == json.npos || json[end] == '\\') return std::nullopt;
  return std::span(json).subspan(at, end - at);
}

// Wiped when it dies.
struct Scratch {
  explicit Scratch(std::string_view from) : text(from) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { wipe(text.data(), text.size()); }
  std::string text;
};

Result<Secret> decoded(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes) return not_understood("it is no base64");
  std::string copy(as_text(*bytes));
  wipe(bytes->data(), bytes->size());
  return Secret::take(copy);
}

const Value* find(const Value& value, std::span<const std::string_view> path) {
  const Value* at = &value;
  for (const auto name : path) {
    at = at->is(Value::Kind::map) ? at->find(name) : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at;
}

}  // namespace

Result<Value> parse_answer(std::string_view text) {
  auto value = parse_json(text, kLimits);
  if (!value) return not_understood(value.error().message);
  if (!value->is(Value::Kind::map)) return not_understood("it is no object");
  return value;
}

Result<Secret> take_secret(const Secret& answer, std::span<const std::string_view> path) {
  Scratch scratch(answer.reveal());
  const auto place = member_text(scratch.text, path.back());
  const bool markable = answer.reveal().find(kMark) == std::string_view::npos;
  if (!place || place->empty() || !markable) return not_understood(fmt::format("it has no {}", path.back()));
  const std::string_view text(place->data(), place->size());
  SP_TRY(Secret secret, decoded(text));
  wipe(place->data(), place->size());
  // A mark that stands nowhere else tells where it was.
  const std::string mark(place->size(), kMark);
  std::ranges::copy(mark, place->begin());
  SP_TRY(const Value rest, parse_answer(scratch.text));
  const auto* there = find(rest, path);
  if (there == nullptr || !there->is(Value::Kind::string) || there->as_string() != mark) {
    return not_understood(fmt::format("{} is not where it belongs", path.back()));
  }
  return secret;
}

std::string text_at(const Value& value, std::span<const std::string_view> path) {
  const auto* there = find(value, path);
  return there != nullptr && there->is(Value::Kind::string) ? there->as_string() : std::string();
}

std::string quoted(std::string_view text) { return for_terminal(text, kShown); }

}  // namespace sallyport::keys
