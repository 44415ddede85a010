#pragma once

#include "relay/cli/context.h"

namespace sallyport::cli {

// `sallyport tunnel update`: changes who may use a tunnel, its limits and its end; what no option names stays.
Command update_command();

}  // namespace sallyport::cli
