#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::connectors::csv {

enum class Encoding { utf8, iso_8859_1, windows_1252 };
std::optional<Encoding> parse_encoding(std::string_view name);

// Appends `bytes` as UTF-8; those of Encoding::utf8 as they are, unchecked. The five bytes that windows-1252 leaves
// undefined become the control characters of the same number, as the WHATWG Encoding Standard has it.
void append_utf8(std::string& out, std::span<const std::byte> bytes, Encoding encoding);

}  // namespace sallyport::connectors::csv
