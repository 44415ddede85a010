#include "shared/http/response_text.h"

#include "shared/http/characters.h"
#include "shared/http/problem.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace sallyport::http {
namespace {

// An API answer is never a document that may load, frame or be guessed to be something else, and is never cached.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSecurityHeaders{
    {{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
     {"X-Content-Type-Options", "nosniff"},
     {"Cache-Control", "no-store"},
     {"Strict-Transport-Security", "max-age=63072000; includeSubDomains"},
     {"Referrer-Policy", "no-referrer"},
     {"Cross-Origin-Resource-Policy", "same-origin"}}};

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) out += is_control(c) ? ' ' : c;
  out += "\r\n";
}

std::string head_text(int status, const Headers& headers, std::string_view request_id, WallTime now) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& field : headers.fields()) append_field(out, field.name, field.value);
  for (const auto& [name, value] : kSecurityHeaders) {
    if (headers.find(name) == nullptr) append_field(out, name, value);
  }
  append_field(out, "Date", http_date(now));
  if (!request_id.empty()) append_field(out, "X-Request-Id", request_id);
  return out;
}

bool forbids_body(int status) { return status == 204 || status == 304 || status < 200; }

void append_lines(std::string& out, std::string_view field, std::string_view text) {
  for (;;) {
    const auto end = text.find('\n');
    out.append(field).append(": ").append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string http_date(WallTime at) {
  using namespace std::chrono;
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const auto seconds = (at - day).count() / 1000;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string response_text(const Response& response, std::string_view request_id, Content content, Connection connection,
                          WallTime now) {
  std::string out = head_text(response.status, response.headers, request_id, now);
  const bool bodyless = forbids_body(response.status);
  if (!bodyless) append_field(out, "Content-Length", std::to_string(response.body.size()));
  if (connection == Connection::close) append_field(out, "Connection", "close");
  out += "\r\n";
  if (!bodyless && content == Content::send) out += response.body;
  return out;
}

std::string stream_head_text(const Headers& headers, std::string_view request_id, WallTime now) {
  std::string out = head_text(200, headers, request_id, now);
  append_field(out, "Content-Type", "text/event-stream; charset=utf-8");
  append_field(out, "Transfer-Encoding", "chunked");
  append_field(out, "Connection", "close");
  return out + "\r\n";
}

std::string upgrade_head_text(std::string_view protocol, const Headers& headers, std::string_view request_id,
                              WallTime now) {
  std::string out = head_text(101, headers, request_id, now);
  append_field(out, "Connection", "Upgrade");
  append_field(out, "Upgrade", protocol);
  return out + "\r\n";
}

std::string event_chunk(const ServerEvent& event) {
  std::string text;
  if (event.id.empty() && event.name.empty() && event.data.empty()) {
    text = ":\n";
  } else {
    if (!event.id.empty()) append_lines(text, "id", event.id);
    if (!event.name.empty()) append_lines(text, "event", event.name);
    append_lines(text, "data", event.data);
  }
  text += '\n';
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

}  // namespace sallyport::http
