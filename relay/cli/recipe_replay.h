#pragma once

#include "relay/cli/commands.h"

namespace sallyport::cli {

Command recipe_replay_command();  // asks the relay for a job, and runs nothing of it

}  // namespace sallyport::cli
