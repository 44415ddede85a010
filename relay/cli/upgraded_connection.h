#pragma once

#include "relay/cli/client.h"
#include "shared/async/byte_stream.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace sallyport::cli {

// What an upgrade needs beside where it goes; outlives it.
struct UpgradeTools {
  const Endpoint& endpoint;        // the relay, and who asks
  boost::asio::thread_pool& pool;  // where libcurl connects
  const std::atomic<bool>& stop;   // a connect that is under way ends within a second when it is set
};

// Connects to the relay as Client does (same roots, same proxy) and asks for `protocol` at `path` with the endpoint's
// token; what comes after the 101 is the stream's, which lives on the executor this runs on. Takes 20 s at the most.
// Errors: as of Client for a refusal (its problem document), unavailable or timed_out for a relay that cannot be talked
// to, invalid for one that answers with what is no answer.
boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> upgrade(UpgradeTools tools, std::string path,
                                                                    std::string protocol);

}  // namespace sallyport::cli
