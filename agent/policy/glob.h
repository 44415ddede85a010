#pragma once

#include <string_view>

namespace sallyport::policy {

// A pattern of one file name: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a set; everything else is
// itself, upper and lower case apart. A character is a code point of UTF-8 (a byte that belongs to none is one too), so
// a letter with a combining accent is two. `*` and `?` never match a leading dot, as in a shell.
// Takes time linear in the product of both lengths, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view name);

// False when a bracket is not closed or the pattern has a slash.
bool is_glob(std::string_view pattern);

}  // namespace sallyport::policy
