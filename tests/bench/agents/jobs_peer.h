#pragma once

#include "agent/runner/wire.h"
#include "shared/link/session.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>

namespace sallyport::bench {

// An agent's side of the jobs channel without a journal behind it: takes every job it is given and reports at once that
// it has succeeded, without a step. Of one agent, over all its links; lives on one loop.
class JobsPeer {
 public:
  JobsPeer();

  // Opens the channel and works it until the link ends.
  boost::asio::awaitable<void> run(link::Session& session);
  std::uint64_t jobs_done() const { return jobs_done_; }

 private:
  boost::asio::awaitable<Result<void>> work(link::Session& session);
  boost::asio::awaitable<Result<void>> take(const link::Channel& channel, const runner::wire::Dispatch& dispatch);

  std::uint64_t journal_;
  std::uint64_t holding_ = 0;
  std::uint64_t seq_ = 0;
  std::uint64_t jobs_done_ = 0;
};

}  // namespace sallyport::bench
