#pragma once

#include "relay/api/caller.h"
#include "relay/api/payloads.h"
#include "relay/api/services.h"
#include "shared/http/types.h"

#include <cstdint>
#include <memory>

namespace sallyport::api {

struct JobWatch {
  Caller caller;
  JobId job;
  std::uint64_t after = 0;  // the last event the watcher has seen
};

// What one line of a job's history looks like; log text only for callers with payloads:read, why a step failed for all.
boost::asio::awaitable<Value> event_shape(PayloadReader& reader, OrgId org, JobId job, store::HistoryEvent event);

// The life of one job as server-sent events. First and at every change of it "job" (the job itself), then each line of
// its history
// ("step.started", ...; id = its seq, which resumes), and "end" when the job has ended and everything was told.
// Ends early with "closed" (revoked token, relay stopping) or "dropped" (the watcher was too slow: it may come back).
std::unique_ptr<http::EventSource> watch_events(Services& services, JobWatch watch,
                                                std::unique_ptr<jobs::JobSubscription> subscription);

store::Texts texts_for(const Caller& caller);

}  // namespace sallyport::api
