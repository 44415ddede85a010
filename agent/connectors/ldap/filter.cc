#include "agent/connectors/ldap/filter.h"

#include "agent/policy/dn.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::ldap {
namespace {

constexpr std::size_t kLongest = 16u << 10;
constexpr int kDeepest = 32;
constexpr std::string_view kPlain = "-._@,=+/";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (is_digit(c) || is_letter(c) || kPlain.contains(c)) {
      out += c;
    } else {
      out += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
    }
  }
}

}  // namespace

class FilterReader {
 public:
  explicit FilterReader(std::string_view text) : text_(text) {}

  StepResult<Filter> read() {
    skip_spaces();
    SP_CHECK(read_filter(0));
    skip_spaces();
    if (at_ != text_.size()) return wrong("something follows its last bracket");
    flush();
    return std::move(filter_);
  }

 private:
  std::unexpected<StepError> wrong(std::string_view why) const {
    return step_fail("invalid", fmt::format("the filter cannot be read at character {}: {}", at_ + 1, why));
  }

  StepResult<void> read_filter(int depth) {
    if (depth == kDeepest) return wrong("it is nested too deeply");
    if (!take('(')) return wrong("a bracket is missing");
    skip_spaces();
    if (peek() == '&' || peek() == '|' || peek() == '!') {
      SP_CHECK(read_set(depth));
    } else {
      literal_ += '(';
      SP_CHECK(read_condition());
    }
    if (!take(')')) return wrong("a closing bracket is missing, or a bracket in a value has to be escaped");
    literal_ += ')';
    return {};
  }

  StepResult<void> read_set(int depth) {
    const char word = text_[at_++];
    literal_ += '(';
    literal_ += word;
    int count = 0;
    for (skip_spaces(); peek() == '('; skip_spaces(), ++count) SP_CHECK(read_filter(depth + 1));
    if (count == 0 || (word == '!' && count > 1)) return wrong("the conditions do not fit the sign before them");
    return {};
  }

  StepResult<void> read_condition() {
    const auto attribute = take_while([](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == ';'; });
    const auto name = attribute.substr(0, attribute.find(';'));
    if (!policy::is_attribute_name(name)) return wrong("a condition begins with the name of an attribute");
    filter_.attributes_.emplace_back(name);
    literal_ += attribute;
    SP_TRY(const bool exact, read_sign());
    return read_value(exact);
  }

  // True for `=`, whose value may have stars.
  StepResult<bool> read_sign() {
    if (take('=')) {
      literal_ += '=';
      return true;
    }
    for (const char sign : {'~', '>', '<'}) {
      if (!take(sign)) continue;
      if (!take('=')) return wrong("a sign is one of = ~= >= <= and :=");
      literal_ += sign;
      literal_ += '=';
      return false;
    }
    while (take(':')) {
      literal_ += ':';
      if (take('=')) {
        literal_ += '=';
        return false;
      }
      const auto rule = take_while([](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
      if (rule.empty()) break;
      literal_ += rule;
    }
    return wrong("a sign is one of = ~= >= <= and :=");
  }

  StepResult<void> read_value(bool stars) {
    while (at_ < text_.size() && text_[at_] != ')') {
      const char c = text_[at_];
      if (c == '(' || c == '\0' || (c == '*' && !stars)) return wrong("a character of the value has to be escaped");
      ++at_;
      if (c == '*') {
        literal_ += c;
      } else if (c == '\\') {
        SP_CHECK(read_escaped());
      } else if (c == ':' && is_letter(peek())) {
        flush();
        filter_.pieces_.push_back({Filter::Piece::Kind::parameter, std::string(take_name())});
      } else {
        append_escaped(literal_, std::string_view(&c, 1));
      }
    }
    return {};
  }

  StepResult<void> read_escaped() {
    const auto byte = from_hex(text_.substr(at_, 2));
    if (!byte || byte->size() != 1) return wrong("a backslash is followed by two hexadecimal digits");
    append_escaped(literal_, as_text(*byte));
    at_ += 2;
    return {};
  }

  void flush() {
    if (!literal_.empty()) filter_.pieces_.push_back({Filter::Piece::Kind::text, std::exchange(literal_, {})});
  }
  std::string_view take_name() {
    return take_while([](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  }
  template <class Fits>
  std::string_view take_while(Fits fits) {
    const auto begin = at_;
    while (at_ < text_.size() && fits(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  void skip_spaces() { take_while(is_space); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string literal_;
  Filter filter_;
};

namespace {

StepResult<std::string> parameter_text(const std::string& name, const Value& parameters) {
  const auto* value = parameters.is(Value::Kind::map) ? parameters.find(name) : nullptr;
  if (value == nullptr) return step_fail("invalid", fmt::format("the parameter :{} has no value", name));
  switch (value->kind()) {
    case Value::Kind::string: return value->as_string();
    case Value::Kind::bytes: return std::string(as_text(value->as_bytes()));
    case Value::Kind::int64: return std::to_string(value->as_int());
    case Value::Kind::uint64: return std::to_string(value->as_uint());
    case Value::Kind::boolean: return value->as_bool() ? "TRUE" : "FALSE";
    default: return step_fail("invalid", fmt::format("the parameter :{} is no text, bytes, integer or boolean", name));
  }
}

}  // namespace

StepResult<Filter> Filter::parse(std::string_view text) {
  if (text.size() > kLongest) return step_fail("invalid", "the filter is longer than 16 KiB");
  return FilterReader(text).read();
}

StepResult<std::string> Filter::fill(const Value& parameters) const {
  std::string out;
  for (const auto& piece : pieces_) {
    if (piece.kind == Piece::Kind::text) {
      out += piece.text;
      continue;
    }
    SP_TRY(const auto value, parameter_text(piece.text, parameters));
    if (value.empty())
      return step_fail("invalid", fmt::format("the parameter :{} is empty, and would make another filter", piece.text));
    append_escaped(out, value);
  }
  return out;
}

}  // namespace sallyport::connectors::ldap
