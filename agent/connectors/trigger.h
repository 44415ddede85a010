#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/value.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::connectors {

// One occurrence, before the recipe's `dedupe` has looked at it.
struct TriggerEvent {
  Value data;               // `trigger` in expressions: JSON types and handles only
  std::string natural_key;  // tells it from every other event of this trigger, also after a restart
  // Where the source goes on after this event: kept in the same transaction, encrypted, and in the spec of later runs.
  std::optional<std::string> cursor = {};
  // Nothing offers it again once the sink has taken it (a message is acknowledged then): what can start no job, because
  // the recipe's `dedupe` fails, is class "invalid" and not taken.
  bool comes_once = false;
};

// What to watch: a recipe's trigger with its arguments complete (catalogue: bind_arguments).
struct TriggerSpec {
  std::string recipe;      // for messages
  std::string connection;  // empty when the trigger takes none
  Value arguments;
  std::optional<std::string> cursor = {};  // of the last event that was made durable on this machine
};

// Makes an event durable; the source forgets the occurrence only after it returned without an error, so an event may
// come twice (same natural_key) and never gets lost. An error means "later again": the source offers it again by
// itself.
using TriggerSink = std::function<boost::asio::awaitable<StepResult<void>>(TriggerEvent)>;

// One kind of local trigger ("file.watch@1"). Built once; run() is called once per assigned recipe, on the agent's
// loop, and goes on, also while the link is down, until it is cancelled. It returns early only with an error that
// somebody has to repair: class "policy" or "invalid". What may pass by itself (a share that is not mounted)
// it waits out, and what cannot be an event (a file that may not be read) it passes over; it tells `trouble` when that
// begins or changes, and with an empty text when it is over.
class TriggerSource {
 public:
  enum class Concern {
    waits,        // the whole watch, or its events, until something passes by itself
    passed_over,  // single occurrences only: the others go on, and somebody should look into it
  };
  using Trouble = std::function<boost::asio::awaitable<void>(Concern, std::string message)>;

  virtual ~TriggerSource() = default;
  virtual std::string_view name() const = 0;
  virtual boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) = 0;
};

}  // namespace sallyport::connectors
