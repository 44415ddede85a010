#include "agent/connectors/json/json_items.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::json {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool ends_word(char c) { return is_space(c) || c == ',' || c == ']' || c == '}'; }

// `~1` is a slash and `~0` a tilde; nullopt for anything else after a tilde.
std::optional<std::string> unescaped(std::string_view part) {
  std::string plain;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~') {
      plain += part[i];
      continue;
    }
    if (++i == part.size() || (part[i] != '0' && part[i] != '1')) return std::nullopt;
    plain += part[i] == '0' ? '~' : '/';
  }
  return plain;
}

}  // namespace

StepResult<JsonItems> JsonItems::at(std::string_view pointer, JsonItemsLimits limits) {
  const auto wrong = [] { return step_fail("invalid", "`pointer` is no JSON pointer (RFC 6901), like /data/items"); };
  std::vector<std::string> parts;
  while (!pointer.empty()) {
    if (!pointer.starts_with('/')) return wrong();
    const auto end = pointer.find('/', 1);
    const auto part = unescaped(pointer.substr(1, end == std::string_view::npos ? end : end - 1));
    if (!part || parts.size() == limits.depth) return wrong();
    parts.push_back(*part);
    pointer = end == std::string_view::npos ? std::string_view() : pointer.substr(end);
  }
  return JsonItems(std::move(parts), limits);
}

void JsonItems::feed(std::span<const std::byte> bytes) {
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(as_text(bytes));
}

StepResult<std::optional<std::string>> JsonItems::next() {
  if (broken_) return std::unexpected(*broken_);
  while (!complete_ && at_ < buffer_.size()) SP_CHECK(take(buffer_[at_++]));
  if (!complete_ && finished_) SP_CHECK(end_of_input());
  if (!complete_) return std::nullopt;
  complete_ = false;
  return std::exchange(token_, {});
}

std::unexpected<StepError> JsonItems::wrong(std::string error_class, std::string_view why) {
  broken_ = StepError{{std::move(error_class)}, fmt::format("the JSON is wrong in line {}: {}", line_, why), {}};
  return std::unexpected(*broken_);
}

StepResult<void> JsonItems::end_of_input() {
  if (taking_ == Taking::word) SP_CHECK(end_token());
  if (expect_ != Expect::nothing || taking_ != Taking::nothing) return wrong("format", "it ends in the middle");
  if (!found_) return wrong("format", "there is nothing where `pointer` leads");
  return {};
}

StepResult<void> JsonItems::take(char c) {
  if (taking_ == Taking::word && ends_word(c)) SP_CHECK(end_token());
  if (c == '\n') ++line_;
  if (taking_ == Taking::nothing) return is_space(c) ? StepResult<void>() : take_structure(c);
  if (token_.size() == limits_.item_bytes)
    return wrong("too_large", fmt::format("an object or text of more than {} bytes", limits_.item_bytes));
  token_ += c;
  if (taking_ == Taking::word) return {};
  if (std::exchange(escaped_, in_text_ && !escaped_ && c == '\\')) return {};
  if (c == '"') in_text_ = !in_text_;
  if (taking_ == Taking::text) return in_text_ ? StepResult<void>() : end_token();
  if (in_text_) return {};
  if (c == '{' || c == '[') ++item_depth_;
  if (c == '}' || c == ']') --item_depth_;
  if (item_depth_ > 0) return {};
  taking_ = Taking::nothing;
  complete_ = true;
  return {};
}

StepResult<void> JsonItems::take_structure(char c) {
  const bool in_object = !stack_.empty() && stack_.back() == Frame::object;
  switch (expect_) {
    case Expect::value: return begin_value(c);
    case Expect::value_or_end: return c == ']' ? close(c) : begin_value(c);
    case Expect::key_or_end:
      if (c == '}') return close(c);
      [[fallthrough]];
    case Expect::key:
      if (c != '"') return wrong("format", "a name of a member is missing");
      begin(Taking::text, c);
      return {};
    case Expect::colon:
      if (c != ':') return wrong("format", "a colon is missing");
      expect_ = Expect::value;
      return {};
    case Expect::comma_or_end:
      if (c != ',') return close(c);
      expect_ = in_object ? Expect::key : Expect::value;
      return {};
    case Expect::nothing: break;
  }
  return wrong("format", "something follows its end");
}

StepResult<void> JsonItems::begin_value(char c) {
  if (is_target()) return begin_items(c);
  if (!stack_.empty() && stack_.back() == Frame::items) {
    if (c != '{') return wrong("format", "an item of the array is no object");
    begin(Taking::item, c);
    item_depth_ = 1;
    expect_ = Expect::comma_or_end;
    return {};
  }
  if (c == '{') return open(Frame::object, Expect::key_or_end);
  if (c == '[') return open(Frame::array, Expect::value_or_end);
  begin(c == '"' ? Taking::text : Taking::word, c);
  return {};
}

StepResult<void> JsonItems::begin_items(char c) {
  if (std::exchange(found_, true)) return wrong("format", "what `pointer` leads to is there twice");
  if (c != '[') return wrong("format", "what `pointer` leads to is no array");
  return open(Frame::items, Expect::value_or_end);
}

StepResult<void> JsonItems::open(Frame frame, Expect next) {
  if (stack_.size() == limits_.depth) return wrong("too_large", fmt::format("more than {} levels", limits_.depth));
  stack_.push_back(frame);
  expect_ = next;
  return {};
}

StepResult<void> JsonItems::close(char c) {
  const char expected = stack_.empty() ? '\0' : stack_.back() == Frame::object ? '}' : ']';
  if (c != expected) return wrong("format", "a comma or the end of an array or object is missing");
  stack_.pop_back();
  expect_ = stack_.empty() ? Expect::nothing : Expect::comma_or_end;
  return {};
}

void JsonItems::begin(Taking what, char c) {
  taking_ = what;
  token_ = c;
  in_text_ = what == Taking::text;
  escaped_ = false;
}

// A text, number or word around the array: a name when one is due, else a value.
StepResult<void> JsonItems::end_token() {
  taking_ = Taking::nothing;
  const auto value = parse_json(std::exchange(token_, {}));
  if (!value) return wrong("format", "a text or number is wrong");
  const bool is_key = expect_ == Expect::key || expect_ == Expect::key_or_end;
  if (is_key) {
    note_key(value->as_string());
    expect_ = Expect::colon;
  } else {
    expect_ = stack_.empty() ? Expect::nothing : Expect::comma_or_end;
  }
  return {};
}

void JsonItems::note_key(std::string_view key) {
  const auto before = stack_.size() - 1;
  found_depth_ = std::min(found_depth_, before);
  if (found_depth_ == before && before < pointer_.size() && key == pointer_[before]) ++found_depth_;
}

}  // namespace sallyport::connectors::json
