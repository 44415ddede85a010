#pragma once

#include "relay/cli/client.h"

#include <string>

// A tunnel for people.
namespace sallyport::cli {

// With the names of its group and its agent beside their ids, and those in what an agent says of its target.
Value named_tunnel(Client& client, Value tunnel);
std::string card_of_tunnel(const Value& tunnel);      // a line for each thing that can be said of it
std::string networks_of_tunnel(const Value& tunnel);  // "127.0.0.0/8, ::1/128"

}  // namespace sallyport::cli
