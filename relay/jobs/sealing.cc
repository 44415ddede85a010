#include "relay/jobs/sealing.h"

#include "relay/store/connections.h"
#include "shared/base/utf8.h"

namespace sallyport::jobs {

keys::RecordIdentity trigger_identity(const OrgId& org, const JobId& job) {
  return {org, "jobs", "trigger", job.value, keys::KeyClass::payload, job};
}

keys::RecordIdentity error_identity(const OrgId& org, const JobId& job) {
  return {org, "jobs", "error_message", job.value, keys::KeyClass::logs, job};
}

keys::RecordIdentity step_identity(const OrgId& org, std::string_view column, const JobId& job, std::string_view path,
                                   std::uint32_t attempt) {
  const auto key = column == "message" ? keys::KeyClass::logs : keys::KeyClass::payload;
  return {org, "steps", std::string(column), store::step_record(job, path, attempt), key, job};
}

keys::RecordIdentity log_identity(const OrgId& org, const JobId& job, std::uint64_t epoch, std::uint64_t job_seq) {
  return {org, "history", "text", store::entry_record(job, epoch, job_seq), keys::KeyClass::logs, job};
}

keys::RecordIdentity connection_identity(const OrgId& org, const AgentId& agent, std::string_view name) {
  return {org, "connections", "detail", store::connection_record(agent, name)};
}

store::awaitable<Result<std::optional<Bytes>>> seal_any(keys::Envelope& envelope, keys::RecordIdentity identity,
                                                        std::string text) {
  if (text.empty()) co_return std::nullopt;
  SP_CO_TRY(auto sealed, co_await envelope.seal(std::move(identity), as_bytes(text)));
  co_return sealed;
}

store::awaitable<Result<std::optional<Bytes>>> seal_error(keys::Envelope& envelope, keys::RecordIdentity identity,
                                                          std::string text) {
  co_return co_await seal_any(envelope, std::move(identity), shortened(std::move(text), kMaxErrorText));
}

store::awaitable<store::JobError> seal_fault(FaultSealer with, OrgId org, JobId job, Fault why) {
  auto message = co_await seal_error(with.envelope, error_identity(org, job), std::move(why.message));
  if (!message) with.log.error("job.error_not_sealed", {{"job", job.value}, {"message", message.error().message}});
  co_return store::JobError{std::move(why.error_class), std::move(message).value_or(std::nullopt), ""};
}

}  // namespace sallyport::jobs
