#pragma once

#include "relay/domain/retention.h"
#include "relay/store/jobs.h"
#include "shared/base/value.h"

// How retention looks in JSON.
namespace sallyport::api {

Value kept_shape(const std::optional<domain::Hours>& kept);  // "14d", "none"; null where nothing is set
Value limits_shape(const domain::RetentionLimits& set);      // {"payload": "30d", ...} of what is set
// Of each class: what is set, what the level above allows, what is in effect.
Value organisation_shape(const domain::RetentionLevels& levels);
Value platform_shape(const domain::RetentionLimits& platform);

// What a job's data is kept for, from when it cannot be read any more, and whether that is past; `now_kept` is what it
// got when it was made, or less if limits were lowered since.
Value job_retention_shape(const store::Job& job, const domain::JobRetention& now_kept, WallTime now);
// Whether it was never kept, or its time is over.
bool is_over(const store::Job& job, domain::Hours kept, WallTime now);
// "kept", "none" where it never was, "expired" when the time of a job that has ended is over.
std::string_view payload_word(const store::Job& job, const domain::JobRetention& now_kept, WallTime now);

}  // namespace sallyport::api
