#include "agent/connectors/http/answer_head.h"

#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::http {
namespace {

constexpr std::array<std::string_view, 6> kNotShown{"set-cookie",         "set-cookie2",
                                                    "www-authenticate",   "authentication-info",
                                                    "proxy-authenticate", "proxy-authentication-info"};

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<StepError> no_head() { return step_fail("format", "the server's answer is not HTTP"); }

}  // namespace

StepResult<void> AnswerHead::begin(std::string_view line) {
  const auto code = line.substr(std::min(line.find(' '), line.size()));
  if (code.size() < 4 || !std::ranges::all_of(code.substr(1, 3), is_digit)) return no_head();
  if (code.size() > 4 && code[4] != ' ') return no_head();
  const int status = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
  if (status < 100 || status > 599) return no_head();
  status_ = status < 200 ? 0 : status;
  headers_.clear();
  ended_ = false;
  return {};
}

StepResult<void> AnswerHead::take(std::string_view line) {
  size_ += line.size();
  if (size_ > kMost)
    return step_fail("too_large", fmt::format("the headers of the server's answer have more than {} bytes", kMost));
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/") && ended_) return begin(line);
  if (line.empty()) {
    ended_ = true;
    return {};
  }
  if (ended_) return {};  // a trailer: nothing here needs one
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || line[colon - 1] == ' ' || line.front() == ' ' ||
      line.front() == '\t')
    return no_head();
  headers_.emplace_back(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return {};
}

const std::string* AnswerHead::find(std::string_view name) const {
  const auto it = std::ranges::find(headers_, name, &std::pair<std::string, std::string>::first);
  return it == headers_.end() ? nullptr : &it->second;
}

std::vector<std::string_view> AnswerHead::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [one, value] : headers_) {
    if (one == name) values.push_back(value);
  }
  return values;
}

Value AnswerHead::shown() const {
  std::map<std::string, std::string> texts;
  std::size_t size = 0;
  for (const auto& [name, value] : headers_) {
    if (std::ranges::find(kNotShown, name) != kNotShown.end()) continue;
    if (is_reserved_name(name)) continue;  // would be read back as a handle
    if (!is_valid_utf8(name) || !is_valid_utf8(value)) continue;
    size += name.size() + value.size();
    if (size > kMostShown) break;
    auto& text = texts[name];
    text += (text.empty() ? "" : ", ") + value;
  }
  ValueMap map;
  for (auto& [name, text] : texts) map.emplace(Value(name), Value(std::move(text)));
  return Value(std::move(map));
}

}  // namespace sallyport::connectors::http
