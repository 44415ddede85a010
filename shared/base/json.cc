#include "shared/base/json.h"

#include "shared/base/utf8.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

namespace sallyport {
namespace {

using nlohmann_json = nlohmann::json;

constexpr std::string_view kHandleMark = "$handle", kBytesMark = "$bytes", kDoubleMark = "$double";
constexpr std::array kMarks{kHandleMark, kBytesMark, kDoubleMark};

// The characters of a text. It leaves behind how far the library has read: numbers come without their place.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** read) : at_(at), read_(read) {}

  const char& operator*() const { return *at_; }
  Cursor& operator++() {
    *read_ = ++at_;
    return *this;
  }
  Cursor operator++(int) { return std::exchange(*this, Cursor(at_ + 1, read_)); }
  friend bool operator==(const Cursor& a, const Cursor& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** read_;
};

enum class MarkRule { refuse, accept, leave };

std::string_view name_of(double number) {
  if (std::isnan(number)) return "NaN";
  return number > 0 ? "Infinity" : "-Infinity";
}

// Builds a Value from SAX events; refuses depth, duplicate names and forged marks as they appear.
class Builder final : public nlohmann::json_sax<nlohmann_json> {
 public:
  Builder(std::string_view text, JsonLimits limits, MarkRule marks)
      : text_(text), read_(text.data()), limits_(limits), marks_(marks) {}

  Result<Value> run() {
    // RFC 8259 has no NUL anywhere; the library would take one for the end of the text.
    if (const auto nul = text_.find('\0'); nul != std::string_view::npos) stop_at("syntax error", nul + 1);
    const bool parsed =
        problem_.empty() && nlohmann_json::sax_parse(Cursor(std::to_address(text_.begin()), &read_),
                                                     Cursor(std::to_address(text_.end()), &read_), this);
    if (!problem_.empty()) return fail(Errc::invalid, "not valid JSON: " + problem_);
    if (!parsed) return fail(Errc::invalid, "not valid JSON");
    return std::move(root_);
  }

  bool null() override { return add(Value()); }
  bool boolean(bool v) override { return add(Value(v)); }
  bool number_integer(number_integer_t v) override { return add(Value(static_cast<std::int64_t>(v))); }
  bool number_unsigned(number_unsigned_t v) override {
    return v <= static_cast<std::uint64_t>(INT64_MAX) ? add(Value(static_cast<std::int64_t>(v)))
                                                      : add(Value(static_cast<std::uint64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t& digits) override {
    // From 2^64 to 1e21 doubles are written without an exponent: these lose nothing when they are read back.
    const bool whole = digits.find_first_of(".eE") == string_t::npos;
    if (whole && json_number(v) != digits) return out_of_range(last_digit());
    return add(Value(v));
  }
  bool string(string_t& v) override { return add(Value(std::move(v))); }
  bool binary(binary_t&) override { return stop("binary is not JSON"); }
  bool start_object(std::size_t) override {
    return open(Level{.is_map = true, .entries = {}, .elements = {}, .key = {}});
  }
  bool start_array(std::size_t) override {
    return open(Level{.is_map = false, .entries = {}, .elements = {}, .key = {}});
  }
  bool key(string_t& name) override {
    auto& level = levels_.back();
    if (level.entries.contains(Value(name))) return stop("duplicate member name");
    level.key = std::move(name);
    return true;
  }
  bool end_object() override {
    auto entries = std::move(levels_.back().entries);
    levels_.pop_back();
    const auto mark = marks_ == MarkRule::leave ? entries.end() : std::ranges::find_if(entries, [](const auto& entry) {
      return is_reserved_name(entry.first.as_string());
    });
    if (mark == entries.end()) return add(Value(std::move(entries)));
    const std::string name = mark->first.as_string();
    if (marks_ == MarkRule::refuse) return stop(fmt::format("the member name {} is reserved", name));
    if (!mark->second.is(Value::Kind::string)) return stop(name + " must be text");
    const std::string text = mark->second.as_string();
    entries.erase(mark);
    if (name == kHandleMark) return add(Value(Handle{text, std::move(entries)}));
    if (!entries.empty()) return stop(name + " must stand alone");
    return name == kBytesMark ? add_bytes(text) : add_double(text);
  }
  bool end_array() override {
    auto elements = std::move(levels_.back().elements);
    levels_.pop_back();
    return add(Value(std::move(elements)));
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception& e) override {
    // The library quotes the input in its text; ours only says where, because the input may be somebody's data.
    return e.id == 406 ? out_of_range(at) : stop_at("syntax error", at);
  }

 private:
  struct Level {
    bool is_map;
    ValueMap entries;
    ValueList elements;
    std::string key;
  };

  bool stop(std::string why) {
    problem_ = std::move(why);
    return false;
  }
  bool stop_at(std::string_view why, std::size_t byte) { return stop(fmt::format("{} at byte {}", why, byte)); }
  bool out_of_range(std::size_t byte) {
    return stop(fmt::format("number out of range at byte {}: put it in quotes to keep its digits", byte));
  }
  // Counted from 1, of the number that was just read.
  std::size_t last_digit() const {
    return text_.substr(0, static_cast<std::size_t>(read_ - text_.data())).find_last_of("0123456789") + 1;
  }
  bool open(Level level) {
    if (levels_.size() >= limits_.max_depth) return stop(fmt::format("nested deeper than {}", limits_.max_depth));
    levels_.push_back(std::move(level));
    return true;
  }
  bool add_bytes(const std::string& text) {
    auto bytes = from_base64(text);
    return bytes ? add(Value(*std::move(bytes))) : stop("$bytes must be base64");
  }
  bool add_double(std::string_view text) {
    for (const double number : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity()}) {
      if (text == name_of(number)) return add(Value(number));
    }
    return stop("$double must be NaN, Infinity or -Infinity");
  }
  bool add(Value value) {
    if (levels_.empty()) {
      root_ = std::move(value);
    } else if (auto& level = levels_.back(); level.is_map) {
      level.entries.emplace(Value(std::move(level.key)), std::move(value));
    } else {
      level.elements.push_back(std::move(value));
    }
    return true;
  }

  std::string_view text_;
  const char* read_;
  JsonLimits limits_;
  MarkRule marks_;
  std::vector<Level> levels_;
  Value root_;
  std::string problem_;
};

Result<Value> parse(std::string_view text, JsonLimits limits, MarkRule marks) {
  if (text.size() > limits.max_bytes)
    return fail(Errc::too_large, fmt::format("JSON of {} bytes; the limit is {}", text.size(), limits.max_bytes));
  return Builder(text, limits, marks).run();
}

std::string key_text(const Value& key) {
  switch (key.kind()) {
    case Value::Kind::string: return key.as_string();
    case Value::Kind::boolean: return key.as_bool() ? "true" : "false";
    case Value::Kind::int64: return std::to_string(key.as_int());
    case Value::Kind::uint64: return std::to_string(key.as_uint());
    default: return {};
  }
}

std::string timestamp_text(Timestamp at) {
  // Civil-from-days, so that years outside system_clock's nanosecond range are written too.
  using namespace std::chrono;
  const auto day = floor<days>(sys_seconds(seconds(at.seconds)));
  const year_month_day date(day);
  const auto in_day = (sys_seconds(seconds(at.seconds)) - day).count();
  auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), in_day / 3600,
                          in_day / 60 % 60, in_day % 60);
  if (at.nanos != 0) {
    auto fraction = fmt::format(".{:09}", at.nanos);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  return text + "Z";
}

std::string duration_text(Duration length) {
  const bool negative = length.seconds < 0 || length.nanos < 0;
  auto text = fmt::format(
      "{}{}", negative ? "-" : "",
      length.seconds < 0 ? 0 - static_cast<std::uint64_t>(length.seconds) : static_cast<std::uint64_t>(length.seconds));
  if (length.nanos != 0) {
    auto fraction = fmt::format(".{:09}", std::abs(length.nanos));
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  return text + "s";
}

// Orders UTF-8 text as its UTF-16 code units would be: surrogates (from 4-byte sequences) sort below U+E000..U+FFFF.
bool utf16_less(std::string_view a, std::string_view b) {
  const auto at = std::ranges::mismatch(a, b);
  if (at.in1 == a.end() || at.in2 == b.end()) return at.in1 == a.end() && at.in2 != b.end();
  const auto x = static_cast<unsigned char>(*at.in1), y = static_cast<unsigned char>(*at.in2);
  const bool x_pair = x >= 0xF0, y_pair = y >= 0xF0;
  if (x_pair == y_pair) return x < y;
  return x_pair ? y >= 0xEE : x < 0xEE;
}

enum class Form { plain, canonical, stored };

class Writer {
 public:
  Writer(int indent, Form form) : indent_(indent), form_(form) {}

  void write(const Value& v) {
    switch (v.kind()) {
      case Value::Kind::null: out += "null"; return;
      case Value::Kind::boolean: out += v.as_bool() ? "true" : "false"; return;
      case Value::Kind::int64: out += std::to_string(v.as_int()); return;
      case Value::Kind::uint64: out += std::to_string(v.as_uint()); return;
      case Value::Kind::float64: return write_double(v.as_double());
      case Value::Kind::string: return append_json_string(out, v.as_string());
      case Value::Kind::bytes: return write_marked(kBytesMark, base64(v.as_bytes()));
      case Value::Kind::list: return write_list(v.as_list());
      case Value::Kind::map: return write_map(v.as_map(), nullptr);
      case Value::Kind::timestamp: return append_json_string(out, timestamp_text(v.as_timestamp()));
      case Value::Kind::duration: return append_json_string(out, duration_text(v.as_duration()));
      case Value::Kind::type: return append_json_string(out, v.as_type().name);
      case Value::Kind::handle: return write_map(v.as_handle().attributes, &v.as_handle().kind);
    }
  }

  std::string out;

 private:
  // The mark is left out where no one reads it back.
  void write_marked(std::string_view mark, std::string_view text) {
    if (form_ != Form::stored) return append_json_string(out, text);
    append_json_string(out += '{', mark);
    append_json_string(out += ':', text);
    out += '}';
  }
  void write_double(double number) {
    if (!std::isfinite(number)) return write_marked(kDoubleMark, name_of(number));
    const auto text = json_number(number);
    if (form_ == Form::stored && number == 0 && std::signbit(number)) out += '-';
    out += text;
    if (form_ == Form::stored && text.find_first_of(".e") == std::string::npos) out += ".0";
  }
  void write_list(const ValueList& list) {
    out += '[';
    ++depth_;
    for (std::size_t i = 0; i < list.size(); ++i) {
      separate(i == 0);
      write(list[i]);
    }
    close(list.empty(), ']');
  }
  void write_map(const ValueMap& map, const std::string* handle_kind) {
    std::vector<std::pair<std::string, const Value*>> members;
    members.reserve(map.size() + 1);
    const Value kind = handle_kind != nullptr ? Value(*handle_kind) : Value();
    if (handle_kind != nullptr) members.emplace_back(kHandleMark, &kind);
    for (const auto& [key, entry] : map) members.emplace_back(key_text(key), &entry);
    std::ranges::sort(members, [this](const auto& a, const auto& b) {
      return form_ == Form::canonical ? utf16_less(a.first, b.first) : a.first < b.first;
    });
    out += '{';
    ++depth_;
    for (std::size_t i = 0; i < members.size(); ++i) {
      separate(i == 0);
      append_json_string(out, members[i].first);
      out += indent_ > 0 ? ": " : ":";
      write(*members[i].second);
    }
    close(members.empty(), '}');
  }
  void separate(bool first) {
    if (!first) out += ',';
    if (indent_ > 0)
      out.append(1, '\n').append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(indent_), ' ');
  }
  void close(bool empty, char bracket) {
    --depth_;
    if (!empty && indent_ > 0)
      out.append(1, '\n').append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(indent_), ' ');
    out += bracket;
  }

  int indent_;
  Form form_;
  int depth_ = 0;
};

std::string written(const Value& value, int indent, Form form) {
  Writer writer(indent, form);
  writer.write(value);
  return std::move(writer.out);
}

// Length of the valid UTF-8 sequence at the start of `text`; 0 when it is not valid (RFC 3629 §4).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    return tail(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    return tail(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// How many characters of ASCII `text` begins with; eight are looked at together.
std::size_t ascii_run(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof(word) <= text.size(); at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

template <class Stray>
std::string replace_strays(std::string_view text, Stray stray) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = utf8_sequence(text);
    if (length == 0) {
      stray(out, static_cast<unsigned char>(text.front()));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace

Result<Value> parse_json(std::string_view text, JsonLimits limits) { return parse(text, limits, MarkRule::refuse); }
Result<Value> parse_stored_json(std::string_view text, JsonLimits limits) {
  return parse(text, limits, MarkRule::accept);
}
Result<Value> parse_shown_json(std::string_view text, JsonLimits limits) {
  return parse(text, limits, MarkRule::leave);
}

bool is_reserved_name(std::string_view member) { return std::ranges::find(kMarks, member) != kMarks.end(); }

std::string to_json(const Value& value) { return written(value, 0, Form::plain); }
std::string stored_json(const Value& value) { return written(value, 0, Form::stored); }
std::string to_pretty_json(const Value& value) { return written(value, 2, Form::plain); }
std::string canonical_json(const Value& value) { return written(value, 0, Form::canonical); }

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto length = utf8_sequence(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += text.substr(0, length);
        }
    }
    text.remove_prefix(length);
  }
  out += '"';
}

std::string json_number(double number) {
  if (number == 0) return "0";
  std::array<char, 32> buffer{};
  // Shortest digits that round-trip, as d.ddde±xx; then laid out as ECMA-262 §6.1.6.1.20 asks.
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(number), std::chars_format::scientific).ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const auto e = text.find('e');
  int exponent = 0;
  const auto* first = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(first, end, exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);

  const int count = static_cast<int>(digits.size()), point = exponent + 1;
  std::string out = number < 0 ? "-" : "";
  if (count <= point && point <= 21) return out + digits + std::string(static_cast<std::size_t>(point - count), '0');
  if (0 < point && point <= 21) return out + digits.insert(static_cast<std::size_t>(point), ".");
  if (-6 < point && point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (count > 1) digits.insert(1, ".");
  return out + fmt::format("{}e{:+}", digits, point - 1);
}

bool is_valid_utf8(std::string_view text) {
  for (;;) {
    text.remove_prefix(ascii_run(text));
    if (text.empty()) return true;
    const auto length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
}

std::string with_valid_utf8(std::string_view text) {
  return replace_strays(text, [](std::string& out, unsigned char) { out += "\xEF\xBF\xBD"; });
}

std::string escaped_utf8(std::string_view text) {
  return replace_strays(text, [](std::string& out, unsigned char byte) { out += fmt::format("\\x{:02x}", byte); });
}

std::string shortened(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  text.resize(limit);
  return text + "...";
}

}  // namespace sallyport
