#pragma once

#include <string_view>

// Character classes of RFC 9110 §5.6.2 and RFC 3986 §2-3; ASCII only.
namespace sallyport::http {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
constexpr bool is_token_character(char c) { return is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-.^_`|~"); }
constexpr bool is_unreserved(char c) { return is_alphanumeric(c) || is_one_of(c, "-._~"); }
constexpr bool is_segment_character(char c) { return is_unreserved(c) || is_one_of(c, "!$&'()*+,;=:@"); }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Value of an upper-case hexadecimal digit, or of a lower-case one; -1 for anything else.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace sallyport::http
