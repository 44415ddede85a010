#pragma once

#include "relay/cli/commands.h"

namespace sallyport::cli {

Command recipe_test_command();  // offline, but for --record

}  // namespace sallyport::cli
