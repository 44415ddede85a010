#include "agent/app/ask_status.h"

#include "agent/app/agent_status.h"
#include "agent/platform/local_socket.h"
#include "shared/async/run.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <filesystem>

namespace sallyport::app {
namespace {
constexpr std::chrono::seconds kPatience{5};
}  // namespace

Result<Value> ask_status(const policy::AgentConfig& config) {
  const auto path = (std::filesystem::path(config.state_dir) / kStatusSocket).string();
  boost::asio::io_context loop(1);
  auto answer = run_to_end(loop, platform::ask_locally(path, kMostStatus, std::chrono::steady_clock::now() + kPatience),
                           "the question");
  if (!answer && answer.error().code == Errc::not_found)
    return fail(Errc::not_found, fmt::format("no agent runs on {} ({})", config.state_dir, answer.error().message));
  if (!answer && answer.error().code == Errc::timed_out)
    return fail(Errc::timed_out, fmt::format("the agent on {} does not answer", config.state_dir));
  if (!answer && answer.error().code == Errc::forbidden)
    return fail(Errc::forbidden, answer.error().message + "; ask as the user that the agent runs as, or as root");
  if (!answer) return std::unexpected(std::move(answer).error());
  auto status = parse_json(*answer, {.max_bytes = kMostStatus});
  if (status && status->is(Value::Kind::map)) return status;
  return fail(Errc::invalid, fmt::format("{} answers with something that is no status of an agent", path));
}

}  // namespace sallyport::app
