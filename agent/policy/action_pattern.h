#pragma once

#include <string_view>

namespace sallyport::policy {

// "sql.query@1" for one action or trigger, "sql.*" for all of a kind.
bool is_action_pattern(std::string_view text);
bool action_matches(std::string_view pattern, std::string_view action);

// Actions and triggers that the agent carries out by itself and that reach nothing on this machine (waiting, a line in
// the job's own log, the clock, a start from the relay). They need no rule; everything else does.
bool reaches_nothing(std::string_view action);

}  // namespace sallyport::policy
