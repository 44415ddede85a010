#pragma once

#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace sallyport::cli {

// Runs a program as the shell would run it in the foreground: with this one's streams, found by PATH, with its own way
// to take an interrupt. Gives what the shell would: its exit code, or 128 and the number of the signal that ended it. A
// cancel asks it to end (SIGTERM) and waits for it. Errc::not_found: there is no such program; Errc::forbidden: it
// cannot be run.
boost::asio::awaitable<Result<int>> run_child(std::vector<std::string> words);

}  // namespace sallyport::cli
