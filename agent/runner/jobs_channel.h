#pragma once

#include "agent/runner/engine.h"

#include <boost/asio/awaitable.hpp>

namespace sallyport::link {
class Session;
}

namespace sallyport::runner {

// The purpose under which the agent opens it (docs/protocol.md).
inline constexpr std::string_view kJobsPurpose = "jobs/1";

// Opens the jobs channel on a link that is up and runs it between relay and engine until either side ends it. Both must
// outlive the call. The error says why it ended; Errc::invalid: the relay broke the protocol.
boost::asio::awaitable<Result<void>> run_jobs_channel(link::Session& session, Engine& engine);

}  // namespace sallyport::runner
