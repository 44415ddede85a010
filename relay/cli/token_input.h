#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstdio>
#include <string>
#include <string_view>

namespace sallyport::cli {

// A token as it comes out of a file or a variable: blanks and line ends around it do not count. Errc::invalid, which
// names `place` and never the text, for what can be no token: it would be more than one header of a request.
Result<Secret> token_of(std::string text, std::string_view place);

// One line from `in`. On a terminal it asks on `err` and shows nothing of what is typed; a signal that ends the program
// meanwhile (Ctrl-C) leaves the terminal as it was. Errc::invalid: no line, or no token.
Result<Secret> read_token(std::FILE* in, std::FILE* err);

}  // namespace sallyport::cli
