#include "shared/http/target.h"

#include "shared/base/text.h"
#include "shared/http/characters.h"

#include <algorithm>

namespace sallyport::http {
namespace {

std::unexpected<GateRefusal> refuse(std::string code, std::string detail) {
  return std::unexpected(GateRefusal{400, std::move(code), std::move(detail)});
}

// The byte a "%XX" at the start of `text` stands for; nothing when it is broken.
std::optional<char> decoded_byte(std::string_view text) {
  if (text.size() < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) return std::nullopt;
  return static_cast<char>(hex_value(text[1]) * 16 + hex_value(text[2]));
}

bool is_lower_hex(char c) { return c >= 'a' && c <= 'f'; }

std::expected<std::string, GateRefusal> decode_segment(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      if (!is_segment_character(raw[i]))
        return refuse("path_character", "The path has a character that must be encoded.");
      out += raw[i];
      continue;
    }
    const auto byte = decoded_byte(raw.substr(i));
    if (!byte) return refuse("bad_encoding", "The path has a broken percent-encoding.");
    if (*byte == '/' || *byte == '\\') return refuse("encoded_slash", "The path has an encoded slash.");
    if (is_control(*byte)) return refuse("path_control", "The path has an encoded control character.");
    if (is_unreserved(*byte) || is_lower_hex(raw[i + 1]) || is_lower_hex(raw[i + 2])) {
      return refuse("not_normal", "The path is not in normal form: needless or lower-case percent-encoding.");
    }
    out += *byte;
    i += 2;
  }
  if (out == "." || out == "..") return refuse("dot_segment", "The path has a dot segment.");
  if (!is_valid_utf8(out)) return refuse("path_utf8", "The path is not UTF-8.");
  return out;
}

std::expected<std::string, GateRefusal> decode_query_text(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char byte = raw[i] == '+' ? ' ' : raw[i];
    if (raw[i] == '%') {
      const auto decoded = decoded_byte(raw.substr(i));
      if (!decoded) return refuse("bad_encoding", "The query has a broken percent-encoding.");
      byte = *decoded;
      i += 2;
    } else if (!is_segment_character(raw[i]) && raw[i] != '/' && raw[i] != '?') {
      return refuse("query_character", "The query has a character that must be encoded.");
    }
    if (is_control(byte)) return refuse("query_control", "The query has an encoded control character.");
    out += byte;
  }
  if (!is_valid_utf8(out)) return refuse("query_utf8", "The query is not UTF-8.");
  return out;
}

std::expected<void, GateRefusal> split_path(std::string_view path, const GateLimits& limits, RequestHead& head) {
  if (path == "/") return {};
  for (std::string_view rest = path; !rest.empty();) {
    rest.remove_prefix(1);  // the slash
    const auto end = std::min(rest.find('/'), rest.size());
    if (end == 0) return refuse("empty_segment", "The path has an empty segment or ends in a slash.");
    if (head.segments.size() == limits.max_segments) return refuse("path_depth", "The path has too many segments.");
    auto segment = decode_segment(rest.substr(0, end));
    if (!segment) return std::unexpected(std::move(segment).error());
    head.segments.push_back(*std::move(segment));
    rest.remove_prefix(end);
  }
  return {};
}

std::expected<void, GateRefusal> split_query(std::string_view query, const GateLimits& limits, RequestHead& head) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (equals == 0) return refuse("query_name", "The query has a parameter without a name.");
    if (head.query.size() == limits.max_query_parameters)
      return refuse("query_size", "The query has too many parameters.");
    auto name = decode_query_text(pair.substr(0, equals));
    if (!name) return std::unexpected(std::move(name).error());
    auto value = decode_query_text(equals < pair.size() ? pair.substr(equals + 1) : std::string_view());
    if (!value) return std::unexpected(std::move(value).error());
    head.query.push_back({*std::move(name), *std::move(value)});
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

}  // namespace

std::expected<void, GateRefusal> check_target(std::string_view target, const GateLimits& limits, RequestHead& head) {
  if (target.size() > limits.max_target) {
    return std::unexpected(GateRefusal{414, "target_length", "The request target is too long."});
  }
  if (!target.starts_with('/'))
    return refuse("target_form", "The request target must be a path that starts with a slash.");
  const auto question = std::min(target.find('?'), target.size());
  head.target = target;
  head.path = target.substr(0, question);
  if (auto path = split_path(head.path, limits, head); !path) return path;
  if (question == target.size()) return {};
  return split_query(target.substr(question + 1), limits, head);
}

}  // namespace sallyport::http
