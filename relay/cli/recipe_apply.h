#pragma once

#include "relay/cli/arguments.h"

namespace sallyport::cli {

// `sallyport recipes apply FILE...`: one file after the other. One that is wrong, or that the relay refuses, keeps no
// other from it; whatever every file would meet (no relay, no right) ends it. What was done is printed as it is done:
// for programs one document per file when there are several, with its `file`.
Command recipe_apply_command();

}  // namespace sallyport::cli
