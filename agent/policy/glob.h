#pragma once

#include <string_view>

namespace sallyport::policy {

// A pattern of one file name: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a set; everything else is
// itself, byte by byte, upper and lower case apart. `*` and `?` never match a leading dot, as in a shell.
// Takes time linear in the product of both lengths, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view name);

// False when a bracket is not closed or the pattern has a slash.
bool is_glob(std::string_view pattern);

}  // namespace sallyport::policy
