#pragma once

#include "tests/bench/agents/simulated_agent.h"

#include <memory>
#include <string>
#include <vector>

namespace sallyport::bench {

// Many simulated agents in one process, each of which keeps `links` links. The first line of standard input is an
// enrolment string, with which all enrol; further lines say what to do, each answered by one line of JSON:
//   status   {"agents", "enrolled", "ready", "jobs_done", "handshakes",
//            "problem"}
//   link N   the first N of those that are enrolled, at once
//   save F   the identity of the first one into file F, for `handshakes`
// Ends with its input.
class Crowd {
 public:
  Crowd(const boost::asio::any_io_executor& executor, std::size_t count, std::uint32_t links, const Clock& clock,
        const Log& log);

  boost::asio::awaitable<void> run();

 private:
  boost::asio::awaitable<void> enrol_some(std::string enrolment_string);
  boost::asio::awaitable<void> obey();
  std::string answer(const std::string& line);
  std::string status() const;

  boost::asio::any_io_executor executor_;
  std::uint32_t links_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::size_t next_ = 0;  // to enrol
  std::size_t enrolled_ = 0;
  std::string problem_;
  TaskGroup tasks_;
};

}  // namespace sallyport::bench
