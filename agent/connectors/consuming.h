#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/trigger.h"
#include "shared/base/clock.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

// How triggers of message brokers work, whichever broker it is.
namespace sallyport::connectors {

// A message that was handed out and is not settled yet.
struct Delivery {
  std::uint64_t number = 0;  // the consumer's own
  TriggerEvent event;
  std::string unusable = {};  // why it can be no event; empty: it can
};

enum class Settlement {
  taken,    // its job is durable: the broker may forget it
  refused,  // it starts no job, and the broker may do with it what it does with such messages
  held,     // it starts no job now: the broker keeps it, and hands it out again to a later consumer
};

// One session with a broker. Blocking, used by one thread at a time; gone with all that is not settled when it dies.
class Consumer {
 public:
  virtual ~Consumer() = default;
  // Nothing when none came until the deadline. An error ends the session.
  virtual StepResult<std::optional<Delivery>> next(const CallLimits& limits) = 0;
  virtual StepResult<void> settle(const Delivery& delivery, Settlement settlement, const CallLimits& limits) = 0;
  // Called every few seconds while a message waits for room: the broker is not to think that nobody is there.
  virtual StepResult<void> stay(const CallLimits& limits) = 0;
};

struct Consuming {
  std::function<StepResult<std::unique_ptr<Consumer>>(const CallLimits&)> open;
  Settlement unusable = Settlement::held;  // or refused
  TriggerSink sink;
  TriggerSource::Trouble trouble;
  std::function<StepError(StepError)> tellable;  // of what ended a session: without settings (site.h)
};

// Runs a broker's trigger, on a thread of its own for the session's calls. One message after the other is offered; it
// is settled as taken when the sink has it. While the sink has no room, no other message is asked for, and the broker
// hands out no more than it may. A broken session is opened again, after pauses of up to a minute. A message that can
// start no job is told and settled as `unusable`: it is tried once in a session, not again and again. Ends with an
// error only for "policy" and "invalid".
boost::asio::awaitable<StepResult<void>> consume(Consuming parts, const Clock& clock);

}  // namespace sallyport::connectors
