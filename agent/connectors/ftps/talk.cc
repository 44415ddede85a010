#include "agent/connectors/ftps/talk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::ftps {
namespace {

struct Meaning {
  int code;
  const char* error_class;
  const char* text;
};

// RFC 959 section 4.2.2, RFC 2228 section 5, RFC 4217.
constexpr std::array kMeanings{
    Meaning{332, "permission", "the server wants an account besides the login"},
    Meaning{421, "connection", "the server closes the session"},
    Meaning{425, "connection", "the data connection could not be opened"},
    Meaning{426, "connection", "the data connection broke"},
    Meaning{430, "permission", "the server refused the login"},
    Meaning{450, "connection", "the file is in use on the server"},
    Meaning{451, "connection", "the server failed"},
    Meaning{452, "disk_full", "the server's disk is full"},
    Meaning{500, "connection", "the server failed, or does not know the command"},  // vsftpd's "OOPS" is a 500
    Meaning{522, "connection", "the server does not take the TLS of the data connection"},
    Meaning{530, "permission", "the server refused the login"},
    Meaning{532, "permission", "the server wants an account besides the login"},
    Meaning{534, "permission", "the server's rules for TLS refuse it"},
    Meaning{552, "disk_full", "the quota there is used up"},
    Meaning{553, "permission", "the server does not permit that name, or to write there"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The code at the beginning of a line; 0 when there is none.
int code_of(std::string_view line) {
  const bool has_code = line.size() >= 3 && line[0] >= '1' && line[0] <= '6' && is_digit(line[1]) && is_digit(line[2]);
  return has_code ? (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0') : 0;
}

std::string_view without_end(std::string_view line) {
  while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
  return line;
}

}  // namespace

void Talk::sent(std::string_view command) {
  command = without_end(command);
  ours_ = replies_.size() < expected_.size() && command == expected_[replies_.size()];
  if (ours_) replies_.emplace_back();
  answered_ = false;
}

void Talk::received(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > kMostLine) flooded_ = true;
    if (!flooded_) line_ += piece;
    if (end == std::string_view::npos) return;
    take_line(without_end(line_));
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

// As libcurl has it, any line with a code and a blank ends a reply.
void Talk::take_line(std::string_view line) {
  const int code = code_of(line);
  const bool is_last = code != 0 && (line.size() == 3 || line[3] == ' ');
  const bool is_first = code != 0 && line.size() > 3 && line[3] == '-';
  keep(is_last || is_first ? line.substr(std::min<std::size_t>(line.size(), 4)) : line);
  if (!is_last || code < 200) return;
  last_code_ = code;
  answered_ = true;
  if (ours_) replies_.back().code = code;
  ours_ = false;
}

void Talk::keep(std::string_view text) {
  if (!ours_) return;
  kept_ += text.size() + sizeof(std::string);
  if (kept_ > kMostKept) flooded_ = true;
  if (!flooded_) replies_.back().lines.emplace_back(text);
}

StepError reply_error(int code, Asking asking) {
  const auto told = [&](const char* error_class, std::string_view text) {
    return StepError{{error_class}, fmt::format("{} (reply code {})", text, code), {}};
  };
  const auto* known = std::ranges::find(kMeanings, code, &Meaning::code);
  if (known != kMeanings.end()) return told(known->error_class, known->text);
  if (code == 550 && asking == Asking::lookup) return told("not_found", "it is not there, or may not be seen");
  if (code == 550) return told("permission", "the server does not permit it");
  if (code >= 500) return told("invalid", "the server cannot do it");
  return told("connection", "the server could not do it now");
}

StepResult<std::string> path_in(const Reply& reply) {
  const std::string_view text = reply.lines.empty() ? "" : std::string_view(reply.lines.back());
  std::string path;
  bool closed = false;
  const auto begin = text.find('"');
  auto rest = begin == std::string_view::npos ? "" : text.substr(begin + 1);
  while (!closed && !rest.empty()) {
    const bool doubled = rest.starts_with("\"\"");
    closed = !doubled && rest.front() == '"';
    if (!closed) path += rest.front();
    rest.remove_prefix(doubled ? 2 : 1);
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (closed && path.starts_with('/') && std::ranges::none_of(path, is_control)) return path;
  return step_fail("format", "the server does not say in which directory it is");
}

}  // namespace sallyport::connectors::ftps
