#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::connectors {

enum class Encoding { utf8, iso_8859_1, windows_1252 };
std::optional<Encoding> parse_encoding(std::string_view name);

// Takes the first code point off valid UTF-8 that is not empty.
std::uint32_t take_code_point(std::string_view& text);

// What a byte of ISO 8859-1 or Windows-1252 stands for.
unsigned code_point_of(std::byte byte, Encoding encoding);

// Appends `bytes` as UTF-8; those of Encoding::utf8 as they are, unchecked. The five bytes that windows-1252 leaves
// undefined become the control characters of the same number, as the WHATWG Encoding Standard has it.
void append_utf8(std::string& out, std::span<const std::byte> bytes, Encoding encoding);

// The other way, of valid UTF-8: nullopt when the encoding has no such character.
std::optional<std::string> encoded(std::string_view text, Encoding encoding);

}  // namespace sallyport::connectors
