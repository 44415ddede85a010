#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/fd.h"
#include "agent/platform/socket_wait.h"
#include "agent/policy/broker_connection.h"
#include "agent/vault/vault.h"

#include <cstddef>
#include <memory>
#include <span>

namespace sallyport::connectors::amqp {

// A connection with a broker in bytes, with TLS (1.2 at least) as the settings say, by libcurl on a socket of ours.
// Blocking; used by one thread at a time. A stop ends every call (class "cancelled") and the connection with it; so
// does whatever goes wrong (class "connection").
class Wire {
 public:
  // Classes connection (also when it takes longer than the settings' connect_timeout), cancelled; what the vault says
  // of the client key. The text is for the agent's log.
  static StepResult<std::unique_ptr<Wire>> open(const policy::AmqpConnection& settings, const vault::Vault& vault,
                                                const CallLimits& limits);
  ~Wire();

  // All of it, or class "timeout".
  StepResult<void> send(std::span<const std::byte> bytes, const CallLimits& limits);
  // What has come, at most until the deadline; 0: nothing did.
  StepResult<std::size_t> receive(std::span<std::byte> into, const CallLimits& limits);
  // Nothing waits to be received, nor has the other side left.
  bool is_quiet() const;

 private:
  struct Curl;
  Wire(std::unique_ptr<Curl> curl, platform::Fd watched);
  StepResult<void> wait(platform::SocketNeed need, const CallLimits& limits);

  std::unique_ptr<Curl> curl_;
  platform::Fd watched_;  // the same connection, looked after here: curl may close its own
};

}  // namespace sallyport::connectors::amqp
