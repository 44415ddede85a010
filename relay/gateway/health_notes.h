#pragma once

#include "relay/jobs/wire.h"
#include "relay/keys/envelope.h"
#include "relay/store/connections.h"
#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>
#include "shared/base/clock.h"
#include "shared/base/log.h"

#include <map>

namespace sallyport::gateway {

// What one linked agent tells of its connections' health (docs/protocol.md P13.21), on its way to the store: the newest
// word on each, at most one write a second however fast it comes. It is for people: what is lost costs no link. Lives
// on the relay's loop.
class HealthNotes {
 public:
  struct Services {
    store::Connections& connections;
    keys::Envelope& envelope;
    const Clock& clock;
    const Log& log;
  };
  HealthNotes(Services services, OrgId org, AgentId agent);

  // Keeps what may be a connection's: a name and a class of this form, at most 1,000 names that wait. The rest is
  // dropped.
  void take(jobs::ReportedUses told);
  std::size_t waiting() const { return waiting_.size(); }
  boost::asio::awaitable<void> run();  // until nothing waits

 private:
  boost::asio::awaitable<Result<void>> write(std::map<std::string, jobs::ReportedUse> told);

  Services services_;
  OrgId org_;
  AgentId agent_;
  std::map<std::string, jobs::ReportedUse> waiting_;  // by connection
};

}  // namespace sallyport::gateway
