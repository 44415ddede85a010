#pragma once

#include "agent/connectors/connector.h"
#include "shared/base/clock.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sallyport::runner {

// What the last use of a connection told of it.
struct ConnectionUse {
  std::string connection;
  std::string error_class;  // why it fails: one of failing_classes(); "": it works
  WallTime at{};
  friend bool operator==(const ConnectionUse&, const ConnectionUse&) = default;
};

// The word for it of docs/protocol.md P13.21.
std::string_view health_word(const ConnectionUse& use);

// What the end of a step attempt says of its connection: the general class because of which it fails ("connection",
// "timeout", "permission"; also when the effect is in doubt for that reason), "" when its system did or refused what it
// was asked (a success, "constraint", "transaction"), nothing when the end tells of the recipe, the policy or this
// agent.
std::optional<std::string> verdict_of(const connectors::StepResult<connectors::Output>& outcome);

// The last verdict on each connection of the configuration, while this process lives, and what of it is news to the
// relay: a change at once, the same again after five minutes. Holds names, classes and times only. On the engine's
// executor.
class ConnectionHealth {
 public:
  explicit ConnectionHealth(std::set<std::string, std::less<>> connections);

  // True: there is news. Connections that are not of the configuration are ignored.
  bool note(const std::string& connection, const connectors::StepResult<connectors::Output>& outcome, WallTime now);
  bool has_news() const { return !news_.empty(); }
  std::vector<ConnectionUse> take_news();  // by name, as many as one message takes
  void tell_all_again();                   // to a relay that may have missed what was taken
  std::vector<ConnectionUse> all() const;  // by name

 private:
  struct Known {
    ConnectionUse use;
    WallTime told_at{};
  };
  const std::set<std::string, std::less<>> connections_;
  std::map<std::string, Known> known_;
  std::set<std::string> news_;
};

}  // namespace sallyport::runner
