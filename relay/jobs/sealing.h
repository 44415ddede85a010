#pragma once

#include "relay/domain/job_state.h"
#include "relay/keys/envelope.h"
#include "relay/store/history.h"
#include "relay/store/jobs.h"
#include "shared/base/log.h"

#include <optional>
#include <string>
#include <string_view>

// How what belongs to jobs passes the envelope: who writes and who reads a field name the same record.
namespace sallyport::jobs {

keys::RecordIdentity trigger_identity(const OrgId& org, const JobId& job);
keys::RecordIdentity error_identity(const OrgId& org, const JobId& job);  // why a job ended
// Of a step's attempt; `column` is "input", "output" or "message".
keys::RecordIdentity step_identity(const OrgId& org, std::string_view column, const JobId& job, std::string_view path,
                                   std::uint32_t attempt);
keys::RecordIdentity log_identity(const OrgId& org, const JobId& job, std::uint64_t epoch, std::uint64_t job_seq);
keys::RecordIdentity connection_identity(const OrgId& org, const AgentId& agent, std::string_view name);

// Nothing for an empty text.
store::awaitable<Result<std::optional<Bytes>>> seal_any(keys::Envelope& envelope, keys::RecordIdentity identity,
                                                        std::string text);
// Why a step or job failed, whoever says so: at most kMaxErrorText bytes of it are kept.
inline constexpr std::size_t kMaxErrorText = 4'096;
store::awaitable<Result<std::optional<Bytes>>> seal_error(keys::Envelope& envelope, keys::RecordIdentity identity,
                                                          std::string text);

// Why the relay ends a job, whose agent does not.
struct Fault {
  std::string error_class;
  std::string message;
  domain::JobState state = domain::JobState::failed;
};
struct FaultSealer {
  keys::Envelope& envelope;
  const Log& log;
};
// That a job ends does not wait for the key: without it the end has its class and no message, which is logged.
store::awaitable<store::JobError> seal_fault(FaultSealer with, OrgId org, JobId job, Fault why);

}  // namespace sallyport::jobs
