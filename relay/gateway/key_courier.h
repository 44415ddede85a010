#pragma once

#include "relay/gateway/links.h"
#include "relay/keys/envelope.h"
#include "relay/store/system_keys.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/base/log.h"

#include <chrono>
#include <map>
#include <set>

namespace sallyport::gateway {

inline constexpr std::string_view kSystemKeys = "system-keys";           // a capability (docs/protocol.md P16)
inline constexpr std::string_view kSystemKeysPurpose = "system-keys/1";  // of a channel that the relay opens

struct CourierLimits {
  std::size_t visits = 8;                      // at the same time
  std::chrono::milliseconds visit{15'000};     // one of them
  std::chrono::milliseconds again{5'000};      // a visit that failed is repeated after this ...
  std::chrono::milliseconds longest{300'000};  // ... and twice that and so on, up to this
};

// Brings agents the system keys that are sealed to them, and notes what they say of their sealing keys: when they link,
// have a new certificate, and when a key of their group changes. One visit at a time for each agent, and each brings
// all there is, as the store has it then: a later one never brings older keys. Lives on the relay's loop.
class KeyCourier {
 public:
  struct Parts {
    Links& links;
    store::SystemKeys& keys;
    keys::Envelope& envelope;
    const Clock& clock;
    const Log& log;
  };
  KeyCourier(const boost::asio::any_io_executor& executor, Parts parts, CourierLimits limits = {});

  void visit(const OrgId& org, const AgentId& agent);        // soon; nothing for one that is not linked
  void visit_group(const OrgId& org, const GroupId& group);  // all that are linked
  boost::asio::awaitable<void> run();                        // until cancelled

 private:
  struct Due {
    OrgId org;
    SteadyTime at{};
    std::chrono::milliseconds pause{0};  // after a failure
    bool under_way = false;
    bool again = false;  // asked for while it was under way
  };
  using Deliveries = std::map<AgentId, Due>;

  SteadyTime begin_due(TaskGroup& visits);  // gives when the next is due
  boost::asio::awaitable<void> call_on(AgentId agent, OrgId org);
  boost::asio::awaitable<Result<void>> deliver(OrgId org, AgentId agent);
  boost::asio::awaitable<Result<void>> exchange(OrgId org, AgentId agent);
  boost::asio::awaitable<Result<std::vector<store::AgentsKey>>> keys_of(OrgId org, AgentId agent);
  boost::asio::awaitable<Result<void>> note(OrgId org, AgentId agent, Bytes answer);
  void settle(const AgentId& agent, const Result<void>& outcome);

  Parts parts_;
  CourierLimits limits_;
  Event work_;
  Deliveries due_;  // bounded by the agents that are linked
  std::size_t under_way_ = 0;
};

}  // namespace sallyport::gateway
