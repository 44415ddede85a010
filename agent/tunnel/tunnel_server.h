#pragma once

#include "agent/platform/lookups.h"
#include "agent/policy/policy.h"
#include "agent/tunnel/connection.h"
#include "agent/tunnel/repeats.h"
#include "shared/async/task_group.h"
#include "shared/base/log.h"
#include "shared/link/session.h"
#include "shared/tunnel/purpose.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::tunnel {

// For SessionOptions::serves, and the capability that goes with it.
std::vector<std::string> services();
inline constexpr std::string_view kCapability = "tunnels";

struct ServerOptions {
  std::size_t connections = 1'000;              // at a time on one link, questions included
  std::chrono::milliseconds connect{10'000};    // lookup and all addresses together
  std::chrono::milliseconds apart{250};         // between the beginnings of two addresses of one target
  std::chrono::milliseconds told_once{60'000};  // equal refusals and failures have one log line in that time
};

// The agent's end of tunnels (docs/protocol.md P14): takes the channels that the relay opens for them, dials what the
// local policy allows, and carries. Every connection that stood is a line in the agent's log at its end; of what it
// refuses or cannot reach, the first of each target in a minute, and then how many there were.
// Lives on one executor; `policy` and `log` outlive it.
class TunnelServer {
 public:
  TunnelServer(const boost::asio::any_io_executor& executor, const policy::Policy& policy, const Log& log,
               ServerOptions options = {});

  // Another purpose that the relay opens channels for on the same links, and what serves one of them: a task of the
  // link, which keeps no exception. Before the first serve().
  using ServeOther = std::function<boost::asio::awaitable<void>(link::Channel channel)>;
  void also_serve(std::string purpose, ServeOther serve) { others_.emplace(std::move(purpose), std::move(serve)); }

  // A task of the link: until the link ends or it is cancelled. With the link its connections end, by a reset; what had
  // come before is passed on, for 5 s at most, after this has returned. A cancel resets them at once.
  boost::asio::awaitable<void> serve(link::Session& session);
  // After the last serve(), and before it dies: until the last connection has ended.
  boost::asio::awaitable<void> finish() { return ending_.join(); }
  std::size_t open() const { return open_; }  // connections and questions, of all links

 private:
  struct OfLink;

  static boost::asio::awaitable<void> see_out(std::shared_ptr<OfLink> link);
  void begin(const std::shared_ptr<OfLink>& link, link::Incoming incoming);
  void carry(const std::shared_ptr<OfLink>& link, Target target, link::Channel channel);
  boost::asio::awaitable<void> dial_name(std::shared_ptr<Connection> connection);
  void over(const Connection& connection, const Result<SpliceOutcome>& outcome);
  boost::asio::awaitable<void> answer_reach(OfLink& link, Target target, link::Channel channel);
  boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> dial(Target target);
  boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> dial_while_wanted(Target target,
                                                                                 const link::Channel& channel);
  boost::asio::awaitable<void> tell_repeats();
  void tell_rest();
  void note_refusal(const Target& target, const policy::Refusal& refusal);

  const policy::Policy& policy_;
  const Log& log_;
  ServerOptions options_;
  std::map<std::string, ServeOther, std::less<>> others_;
  platform::Lookups lookups_;
  Repeats repeats_;
  std::size_t open_ = 0;
  TaskGroup ending_;  // see out the connections of links that have ended
};

}  // namespace sallyport::tunnel
