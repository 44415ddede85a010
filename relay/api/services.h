#pragma once

#include "relay/audit/audit.h"
#include "relay/jobs/agent_presence.h"
#include "relay/jobs/job_feed.h"
#include "relay/jobs/job_service.h"
#include "relay/keys/envelope.h"
#include "relay/store/store.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

namespace sallyport::api {

// Everything the handlers use; all of it outlives the Api. Built by the composition root.
struct Services {
  store::Stores stores;
  keys::Envelope& envelope;
  Audit& audit;
  jobs::JobService& jobs;
  jobs::JobFeed& feed;
  jobs::AgentPresence& presence;
  const Clock& clock;
  const Log& log;
  Metrics& metrics;
};

}  // namespace sallyport::api
