#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Code points in UTF-8 that is known to be valid.
namespace sallyport::expr {

void append_code_point(std::string& out, char32_t code_point);
bool is_scalar_value(char32_t code_point);  // any code point but a surrogate

// Takes the first code point off `text`, which is not empty.
char32_t take_code_point(std::string_view& text);

// Byte offset of the `index`-th code point; nullopt beyond the end. The length of the text gives its end.
std::optional<std::size_t> byte_offset(std::string_view text, std::size_t index);

}  // namespace sallyport::expr
