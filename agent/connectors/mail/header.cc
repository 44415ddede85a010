#include "agent/connectors/mail/header.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace sallyport::connectors::mail {
namespace {

constexpr std::size_t kLongestText = 2000;
constexpr std::size_t kLongestAddress = 254;
constexpr std::size_t kLongestFilename = 200;
constexpr std::size_t kPlainLine = 60;
constexpr std::size_t kEncodedPiece = 45;  // bytes in an encoded word, which has at most 75 characters

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool all(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [&](char c) { return is_letter_or_digit(c) || also.contains(c); });
}

std::unexpected<StepError> wrong(std::string_view what) { return step_fail("invalid", std::string(what)); }

bool is_address(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0 || text.size() > kLongestAddress) return false;
  const auto local = text.substr(0, at), domain = text.substr(at + 1);
  return all(local, ".!#$%&'*+-/=?^_`{|}~") && !domain.empty() && all(domain, ".-") && !domain.starts_with('.') &&
         !domain.starts_with('-');
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The length of the character of UTF-8 that begins with `first`.
std::size_t length_of(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

std::string encoded_words(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = 0;
    while (at + size < text.size() && size + length_of(text[at + size]) <= kEncodedPiece)
      size += length_of(text[at + size]);
    out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64(as_bytes(text.substr(at, size))));
    at += size;
  }
  return out;
}

bool is_readable(std::string_view text) { return is_valid_utf8(text) && std::ranges::none_of(text, is_control); }

}  // namespace

StepResult<Mailbox> parse_mailbox(std::string_view text) {
  constexpr std::string_view kWrong = "an address is written name@host or Name <name@host>";
  text = trimmed(text);
  Mailbox mailbox;
  if (text.ends_with('>')) {
    const auto open = text.rfind('<');
    if (open == std::string_view::npos) return wrong(kWrong);
    auto name = trimmed(text.substr(0, open));
    if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) name = name.substr(1, name.size() - 2);
    if (name.size() > kLongestFilename || !is_readable(name)) return wrong(kWrong);
    mailbox.name = name;
    text = text.substr(open + 1, text.size() - open - 2);
  }
  if (!is_address(text)) return wrong(kWrong);
  mailbox.address = text;
  return mailbox;
}

StepResult<std::string> header_text(std::string_view text) {
  if (text.size() > kLongestText || !is_readable(text))
    return wrong("a header has a control character, a line break or what is not UTF-8, or is over 2000 bytes");
  if (text.size() <= kPlainLine && all(text, " .,:;!?()'/+-_#&*@") && trimmed(text) == text) return std::string(text);
  return encoded_words(text);
}

std::string header_mailboxes(const std::vector<Mailbox>& mailboxes) {
  std::string out;
  for (const auto& [name, address] : mailboxes) {
    if (!out.empty()) out += ",\r\n ";
    const bool plain = name.size() <= kPlainLine && all(name, " ");
    if (!name.empty()) out += (plain ? name : encoded_words(name)) + " ";
    out += name.empty() ? address : fmt::format("<{}>", address);
  }
  return out;
}

StepResult<std::string> header_filename(std::string_view name) {
  if (name.empty() || name.size() > kLongestFilename || !is_readable(name) || name.contains('/') || name.contains('\\'))
    return wrong("the name of an attachment is a path, or has a character that no name has, or is over 200 bytes");
  if (all(name, " .-_()+,")) return fmt::format(";\r\n filename=\"{}\"", name);
  std::string out = ";\r\n filename*=UTF-8''";
  for (const char c : name) {
    if (is_letter_or_digit(c) || c == '.' || c == '-' || c == '_') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

StepResult<std::string> header_media_type(std::string_view type) {
  const auto slash = type.find('/');
  const bool fits = slash != std::string_view::npos && slash > 0 && slash + 1 < type.size() && type.size() <= 100 &&
                    all(type.substr(0, slash), "-+.") && all(type.substr(slash + 1), "-+.");
  if (!fits || type.starts_with("multipart/") || type.starts_with("message/"))
    return wrong("the type of an attachment is written like application/pdf");
  return std::string(type);
}

std::string header_date(WallTime at) {
  using namespace std::chrono;
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(at - day));
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[weekday(day).c_encoding()], unsigned(date.day()),
                     kMonths[unsigned(date.month()) - 1], int(date.year()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

}  // namespace sallyport::connectors::mail
