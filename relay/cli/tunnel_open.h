#pragma once

#include "relay/cli/arguments.h"

namespace sallyport::cli {

Command open_command();  // sallyport tunnel open

}  // namespace sallyport::cli
