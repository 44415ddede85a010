#include "relay/api/retention_shapes.h"

#include "relay/api/replies.h"

namespace sallyport::api {
namespace {

std::optional<WallTime> expiry_of(const store::Job& job, domain::Hours kept) {
  return job.finished_at ? domain::expiry_of(*job.finished_at, kept) : std::nullopt;
}

Value term_shape(const store::Job& job, domain::Hours kept, WallTime now) {
  return Object()
      .put("kept", domain::format_retention(kept))
      .put("expires_at", expiry_of(job, kept))
      .put("expired", Value(is_over(job, kept, now)))
      .done();
}

}  // namespace

bool is_over(const store::Job& job, domain::Hours kept, WallTime now) {
  const auto expiry = expiry_of(job, kept);
  return kept == domain::kKeptNever || (expiry && *expiry <= now);
}

Value kept_shape(const std::optional<domain::Hours>& kept) {
  return kept ? Value(domain::format_retention(*kept)) : Value();
}

Value limits_shape(const domain::RetentionLimits& set) {
  Object shown;
  for (const auto one : domain::kRetentionClasses) {
    if (set[one]) shown.put(domain::to_string(one), kept_shape(set[one]));
  }
  return shown.done();
}

Value organisation_shape(const domain::RetentionLevels& levels) {
  Object shown;
  for (const auto one : domain::kRetentionClasses) {
    if (!domain::may_set(domain::RetentionLevel::organisation, one)) continue;
    shown.put(domain::to_string(one), Object()
                                          .put("set", kept_shape(levels.organisation[one]))
                                          .put("allowed", kept_shape(domain::allowed_by(levels.platform, one)))
                                          .put("in_effect", kept_shape(domain::effective(one, levels)))
                                          .done());
  }
  return shown.done();
}

Value platform_shape(const domain::RetentionLimits& platform) {
  Object shown;
  for (const auto one : domain::kRetentionClasses) {
    shown.put(domain::to_string(one), Object()
                                          .put("set", kept_shape(platform[one]))
                                          .put("allowed", kept_shape(domain::kMostRetention))
                                          .put("in_effect", kept_shape(domain::allowed_by(platform, one)))
                                          .done());
  }
  return shown.done();
}

std::string_view payload_word(const store::Job& job, const domain::JobRetention& now_kept, WallTime now) {
  const bool gone = job.payload == store::Payload::kept && job.finished_at && is_over(job, now_kept.payload, now);
  return gone ? "expired" : store::to_string(job.payload);
}

Value job_retention_shape(const store::Job& job, const domain::JobRetention& now_kept, WallTime now) {
  return Object()
      .put("payload", term_shape(job, now_kept.payload, now))
      .put("logs", term_shape(job, now_kept.logs, now))
      .done();
}

}  // namespace sallyport::api
