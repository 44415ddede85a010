#pragma once

#include "relay/cli/arguments.h"

namespace sallyport::cli {

Command watch_command();  // sallyport tunnel watch

}  // namespace sallyport::cli
