#pragma once

#include "relay/cli/context.h"

#include <vector>

// The commands, one file per noun; main puts them together.
namespace sallyport::cli {

std::vector<Command> login_commands();
std::vector<Command> expression_commands();  // offline
std::vector<Command> agent_commands();       // agents, agent tokens, groups, connections
std::vector<Command> access_commands();      // organisations, users, API tokens
std::vector<Command> audit_commands();       // the ledgers
std::vector<Command> key_commands();
std::vector<Command> retention_commands();
std::vector<Command> archive_commands();
std::vector<Command> system_key_commands();
std::vector<Command> webhook_commands();
std::vector<Command> recipe_commands();
std::vector<Command> job_commands();
std::vector<Command> history_commands();
std::vector<Command> erase_commands();  // erase, export
std::vector<Command> tunnel_commands();

std::vector<Command> all_commands();

// The whole program behind main(): finds the command, parses its words, runs it. Gives the exit code; kDone says that
// all of the answer was written, too.
int run(Context& context, const std::vector<std::string>& words);

}  // namespace sallyport::cli
