#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::policy {

// "sql.query@1" for one action or trigger, "sql.*" for all of a kind.
bool is_action_pattern(std::string_view text);
bool action_matches(std::string_view pattern, std::string_view action);

// What is wrong with a pattern that no action or trigger of this agent matches, with the nearest one that does; nullopt
// when some match. A rule that can never apply is a slip of its writer.
std::optional<std::string> unknown_action(std::string_view pattern);

// Actions and triggers that the agent carries out by itself and that reach nothing on this machine (waiting, a line in
// the job's own log, the clock, a start from the relay). They need no rule; everything else does.
bool reaches_nothing(std::string_view action);

}  // namespace sallyport::policy
