#include "relay/cli/upgrade_answer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxHead = 16u << 10;
constexpr std::size_t kMaxBody = 64u << 10;
constexpr std::size_t kMaxFields = 64;
constexpr std::string_view kVersion = "HTTP/1.1 ";

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::invalid, "the relay's answer is malformed: " + std::string(what));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_name_character(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// By names in lower case. Security headers and the like may come once, as all that the relay sends; but Connection.
using Fields = std::map<std::string, std::string, std::less<>>;

Result<void> take_field(std::string_view line, Fields& fields) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("a header without a name");
  std::string name(line.substr(0, colon));
  if (!std::ranges::all_of(name, is_name_character)) return malformed("the name of a header");
  std::ranges::transform(name, name.begin(), lower);
  const auto value = trimmed(line.substr(colon + 1));
  const auto [at, fresh] = fields.emplace(name, value);
  if (fresh) return {};
  if (name != "connection") return malformed("a header came twice");
  at->second.append(", ").append(value);
  return {};
}

std::string_view value_of(const Fields& fields, std::string_view name) {
  const auto at = fields.find(name);
  return at == fields.end() ? std::string_view() : std::string_view(at->second);
}

Result<unsigned> status_of(std::string_view line) {
  if (!line.starts_with(kVersion) || line.size() < kVersion.size() + 4 || line[kVersion.size() + 3] != ' ')
    return malformed("no status line of HTTP/1.1");
  unsigned status = 0;
  const auto digits = line.substr(kVersion.size(), 3);
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  if (bad != std::errc() || end != digits.data() + digits.size() || status < 100) return malformed("the status");
  return status;
}

Result<std::size_t> length_of(const Fields& fields) {
  if (fields.contains("transfer-encoding")) return malformed("a body in chunks");
  const auto text = value_of(fields, "content-length");
  std::uint64_t length = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (bad != std::errc() || end != text.data() + text.size()) return malformed("a body without a length");
  if (length > kMaxBody) return fail(Errc::too_large, "the relay's answer is too large");
  return static_cast<std::size_t>(length);
}

bool lists(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const auto end = std::min(options.find(','), options.size());
    std::string option(trimmed(options.substr(0, end)));
    std::ranges::transform(option, option.begin(), lower);
    if (option == wanted) return true;
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return false;
}

Result<void> check_change(const Fields& fields, std::string_view protocol) {
  if (value_of(fields, "upgrade") != protocol || !lists(value_of(fields, "connection"), "upgrade"))
    return malformed("it changes to another protocol");
  if (fields.contains("content-length") || fields.contains("transfer-encoding"))
    return malformed("a change of protocol with a body");
  return {};
}

// Nothing: the end has not come yet.
Result<std::optional<std::size_t>> head_end(std::string_view bytes) {
  const auto within = bytes.substr(0, kMaxHead);
  const auto end = within.find("\r\n\r\n");
  const auto head = within.substr(0, std::min(end, within.size()));
  for (std::size_t i = 0; i < head.size(); ++i) {
    const auto c = static_cast<unsigned char>(head[i]);
    const bool line_end =
        (c == '\r' && (i + 1 == head.size() || head[i + 1] == '\n')) || (c == '\n' && i > 0 && head[i - 1] == '\r');
    if (!line_end && c != '\t' && (c < ' ' || c > '~')) return malformed("a character that no header has");
  }
  if (end != std::string_view::npos) return end + 4;
  if (bytes.size() >= kMaxHead) return fail(Errc::too_large, "the relay's answer is too large");
  return std::nullopt;
}

}  // namespace

Result<std::optional<UpgradeAnswer>> read_upgrade_answer(std::string_view bytes, std::string_view protocol) {
  SP_TRY(const auto end, head_end(bytes));
  if (!end) return std::nullopt;
  auto head = bytes.substr(0, *end - 2);
  const auto line_end = head.find("\r\n");
  UpgradeAnswer answer{.used = *end};
  SP_TRY(answer.status, status_of(head.substr(0, line_end)));
  Fields fields;
  std::size_t count = 0;
  for (head.remove_prefix(line_end + 2); !head.empty();) {
    const auto next = head.find("\r\n");
    if (++count > kMaxFields) return fail(Errc::too_large, "the relay's answer has too many headers");
    SP_CHECK(take_field(head.substr(0, next), fields));
    head.remove_prefix(next + 2);
  }
  answer.request_id = value_of(fields, "x-request-id");
  if (answer.status == 101) {
    SP_CHECK(check_change(fields, protocol));
    return answer;
  }
  if (answer.status < 300) return malformed("it is no refusal and no change of protocol");
  SP_TRY(const auto length, length_of(fields));
  if (bytes.size() - answer.used < length) return std::nullopt;
  answer.body = bytes.substr(answer.used, length);
  answer.used += length;
  return answer;
}

}  // namespace sallyport::cli
