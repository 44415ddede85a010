#pragma once

#include "agent/doctor/network.h"
#include "agent/link/websocket.h"

namespace sallyport::doctor {

// Whether the relay proves itself inside a WebSocket at `web` (docs/protocol.md P1.5), and who issued the certificate
// that was shown outside: one finding, "websocket", which is good or bad. Shows no certificate of this agent.
boost::asio::awaitable<Finding> examine_websocket(const Journey& journey, agent::WebAddress web, const Clock& clock);

// An agent that may go both ways needs one of them: with a good second way what is bad of the direct one is a note, and
// nobody has to be asked for anything; with a good direct one a bad second way is a note.
void weigh_ways(NetworkReport& direct, Finding& second);

}  // namespace sallyport::doctor
