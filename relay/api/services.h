#pragma once

#include "relay/audit/audit.h"
#include "relay/authorizations/desk.h"
#include "relay/identity/enrolment.h"
#include "relay/identity/revocations.h"
#include "relay/jobs/agent_presence.h"
#include "relay/jobs/job_feed.h"
#include "relay/jobs/job_service.h"
#include "relay/jobs/retention_rules.h"
#include "relay/keys/envelope.h"
#include "relay/keys/fingerprints.h"
#include "relay/store/store.h"
#include "relay/tunnels/desk.h"
#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>

namespace sallyport {
class FairPool;
}

namespace sallyport::erasure {
class Eraser;
class Receipts;
}  // namespace sallyport::erasure

namespace sallyport::keys {
class Custodian;
}

namespace sallyport::archive {
class Archiver;
}

namespace sallyport::api {

class SessionLedger;
class TunnelLookouts;

// Everything the handlers use; all of it outlives the Api. Built by the composition root.
struct Services {
  store::Stores stores;
  keys::Envelope& envelope;
  keys::Custodian& keys;
  erasure::Eraser& eraser;
  erasure::Receipts& receipts;
  keys::Fingerprints& fingerprints;
  archive::Archiver& archive;
  Audit& audit;
  identity::Enrolments& enrolments;
  identity::Revocations& revocations;
  jobs::JobService& jobs;
  jobs::RetentionRules& retention;
  jobs::JobFeed& feed;
  jobs::AgentPresence& presence;
  tunnels::Desk& tunnels;
  authorizations::Desk& authorizations;
  const Clock& clock;
  const Log& log;
  Metrics& metrics;
  FairPool& recipe_work;  // compiles recipes beside the loop; owners are organisations
  // Called after a change that may move local triggers: a recipe was (de)activated or removed, an agent moved or
  // revoked. The agent: from which this took one already. Never empty.
  std::function<void(const OrgId&, const std::optional<AgentId>&)> triggers_changed;
  // Called after an organisation set how long it keeps data. Never empty.
  std::function<void(const OrgId&)> retention_changed;
  // A place for a link that comes as a WebSocket from the address `peer`, as what serves it to its end.
  // Errc::unavailable: no place, and why. Empty: there are no links here.
  using ServeLink = std::function<boost::asio::awaitable<void>(std::unique_ptr<ByteStream> carrier)>;
  std::function<Result<ServeLink>(const std::string& peer)> take_link = {};
  // Called after a system key of the group changed. Empty: there are no links here.
  std::function<void(const OrgId&, const GroupId&)> system_keys_changed = {};
  // The Api's own, made by it.
  std::shared_ptr<TunnelLookouts> lookouts = {};
  std::shared_ptr<SessionLedger> sessions = {};
};

}  // namespace sallyport::api
