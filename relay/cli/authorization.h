#pragma once

#include "relay/cli/arguments.h"
#include "relay/cli/context.h"

namespace sallyport::cli {

// `connection authorize NAME`: tells the address to open in a browser, and waits until the person has come back from
// there, eleven minutes at most. Gives the exit code.
int authorize_connection(Context& context, const Arguments& arguments);

}  // namespace sallyport::cli
