#include "tests/bench/agents/crowd.h"

#include "agent/platform/secret_file.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sallyport::bench {
namespace asio = boost::asio;
namespace {

constexpr unsigned kEnrolAtOnce = 8;
constexpr std::size_t kMostLine = 4'096;

}  // namespace

Crowd::Crowd(const asio::any_io_executor& executor, std::size_t count, std::uint32_t links, const Clock& clock,
             const Log& log)
    : executor_(executor), links_(links), tasks_(executor, [this](const std::string& task, const std::string& why) {
        problem_ = fmt::format("{}: {}", task, why);
      }) {
  agents_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    agents_.push_back(std::make_unique<SimulatedAgent>(executor, fmt::format("sim-{}-{}", ::getpid(), i), clock, log));
  }
}

asio::awaitable<void> Crowd::run() {
  co_await obey();
  tasks_.stop();
  co_await tasks_.join();
}

asio::awaitable<void> Crowd::enrol_some(std::string enrolment_string) {
  while (next_ < agents_.size()) {
    auto& agent = *agents_[next_++];
    if (const auto enrolled = co_await agent.enrol(enrolment_string); enrolled) {
      ++enrolled_;
    } else {
      problem_ = enrolled.error().message;
    }
  }
}

asio::awaitable<void> Crowd::obey() {
  asio::posix::stream_descriptor input(executor_, ::dup(STDIN_FILENO));
  std::string buffer;
  for (bool first = true;; first = false) {
    boost::system::error_code ended;
    const auto length = co_await asio::async_read_until(input, asio::dynamic_buffer(buffer, kMostLine), '\n',
                                                        asio::redirect_error(asio::use_awaitable, ended));
    if (ended) co_return;
    const auto line = buffer.substr(0, length - 1);
    if (first) {
      for (unsigned i = 0; i < kEnrolAtOnce; ++i) tasks_.spawn("enrolments", enrol_some(line));
    } else {
      fmt::print("{}\n", answer(line));
      std::fflush(stdout);
    }
    buffer.erase(0, length);
  }
}

std::string Crowd::answer(const std::string& line) {
  constexpr std::string_view kSave = "save ";
  constexpr std::string_view kLink = "link ";
  if (line.starts_with(kLink)) {
    const auto count = std::strtoull(line.c_str() + kLink.size(), nullptr, 10);
    for (std::size_t i = 0; i < std::min<std::size_t>(count, agents_.size()); ++i) agents_[i]->link(tasks_, links_);
  } else if (line.starts_with(kSave)) {
    const auto identity = agents_.front()->identity().load();
    if (!identity || !agent::FileIdentityStore(line.substr(kSave.size())).install(*identity)) problem_ = "not saved";
  }
  return status();
}

std::string Crowd::status() const {
  const auto is_ready = [this](const auto& agent) { return agent->links_ready() >= links_; };
  const auto ready = std::ranges::count_if(agents_, is_ready);
  std::uint64_t jobs = 0;
  std::uint64_t handshakes = 0;
  std::string problem = problem_;
  for (const auto& agent : agents_) {
    jobs += agent->jobs_done();
    handshakes += agent->handshakes();
    if (problem.empty() && !is_ready(agent)) problem = agent->last_problem();
  }
  return to_json(Value(ValueMap{{Value("agents"), Value(static_cast<std::int64_t>(agents_.size()))},
                                {Value("enrolled"), Value(static_cast<std::int64_t>(enrolled_))},
                                {Value("ready"), Value(static_cast<std::int64_t>(ready))},
                                {Value("jobs_done"), Value(static_cast<std::int64_t>(jobs))},
                                {Value("handshakes"), Value(static_cast<std::int64_t>(handshakes))},
                                {Value("problem"), Value(problem)}}));
}

}  // namespace sallyport::bench
