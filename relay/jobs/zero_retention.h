#pragma once

#include "relay/jobs/sealing.h"
#include "relay/jobs/wire.h"
#include "relay/keys/fingerprints.h"
#include "relay/store/jobs.h"
#include "shared/recipe/model.h"

// A job without payload (store::Payload::none) leaves its states, times, paths and error classes behind, and nothing
// that its trigger, steps or logs said (docs/decisions/0033).
namespace sallyport::jobs {

store::Payload payload_of(const recipe::Recipe& outline);
// So long what belongs to the job is kept: without payload when that is never.
void keep_for(store::Job& job, domain::JobRetention kept);

// Takes out of an agent's report whatever may be payload. It may have sent some: the relay does not rely on it.
void drop_payload(Report& report);

// An event's key and that of a concurrency limit may be made of payload: such a job's are replaced by fingerprints,
// which compare as they do. Errc::unavailable: the organisation's key is not here.
store::awaitable<Result<void>> hide_keys(keys::Fingerprints& fingerprints, store::Job& job);
// The same of the event's key alone, whatever is kept: it is made of data that the recipe masks.
store::awaitable<Result<void>> hide_event_key(keys::Fingerprints& fingerprints, store::Job& job);

// Whether an event's key was made of data that the recipe masks: data that is easy to guess is told by its digest.
bool tells_masked(const recipe::Recipe& outline);

inline constexpr std::string_view kZeroRetention = "zero_retention";  // the class of what ends for want of its payload

// Why no agent can run the job: what its trigger said was in the memory of a relay that has ended since.
std::string trigger_forgotten(const store::Job& job);
// The same: a step's result was in the memory of the agent that ran it.
std::string result_forgotten(std::string_view step);

}  // namespace sallyport::jobs
