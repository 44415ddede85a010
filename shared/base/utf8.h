#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text made of bytes that may be none, such as names of files and output of programs; see also is_valid_utf8().
namespace sallyport {

// The same with U+FFFD for every byte that belongs to no valid UTF-8 sequence (RFC 3629 §4).
std::string with_valid_utf8(std::string_view text);
// The same with "\xe9" for every such byte: for messages that name what cannot be shown.
std::string escaped_utf8(std::string_view text);
// At most `limit` bytes of valid UTF-8, cut at a character's boundary, and "..." when something is missing.
std::string shortened(std::string text, std::size_t limit);

// For a terminal: at most `limit` bytes, with "?" for each control character (C0, DEL, C1) and each one that turns the
// text after it around.
std::string for_terminal(std::string_view text, std::size_t limit);

// Whether valid UTF-8 has a control character (C0, DEL, C1), or one that turns the text after it around (U+202A to
// U+202E, U+2066 to U+2069): what a terminal or a reader could be led astray by.
bool steers_text(std::string_view text);

}  // namespace sallyport
