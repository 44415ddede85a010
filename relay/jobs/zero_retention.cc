#include "relay/jobs/zero_retention.h"

#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::jobs {
namespace {

store::awaitable<Result<void>> hide(keys::Fingerprints& fingerprints, const store::Job& job, std::string_view purpose,
                                    std::string& key) {
  if (key.empty()) co_return Result<void>();
  SP_CO_TRY(const auto print, co_await fingerprints.of(job.org, fmt::format("{} {}", purpose, job.recipe.value), key));
  key = "hmac:" + hex(print);
  co_return Result<void>();
}

}  // namespace

void keep_for(store::Job& job, domain::JobRetention kept) {
  job.retention = kept;
  if (kept.payload == domain::kKeptNever) job.payload = store::Payload::none;
}

store::Payload payload_of(const recipe::Recipe& outline) {
  return outline.retention.payload == recipe::milliseconds(0) ? store::Payload::none : store::Payload::kept;
}

void drop_payload(Report& report) {
  if (auto* job = std::get_if<ReportedJobStart>(&report.what)) {
    job->trigger_json.clear();
  } else if (auto* step = std::get_if<ReportedStepStart>(&report.what)) {
    step->input_json.clear();
  } else if (auto* end = std::get_if<ReportedStepEnd>(&report.what)) {
    end->output_json.clear();
    end->message.clear();
  } else if (auto* log = std::get_if<ReportedLog>(&report.what)) {
    log->text.clear();
  } else if (auto* finish = std::get_if<ReportedJobEnd>(&report.what)) {
    finish->message.clear();
  }
}

bool tells_masked(const recipe::Recipe& outline) { return !outline.trigger.mask.nothing() && !outline.trigger.dedupe; }

store::awaitable<Result<void>> hide_event_key(keys::Fingerprints& fingerprints, store::Job& job) {
  return hide(fingerprints, job, "event key", job.event_key);
}

store::awaitable<Result<void>> hide_keys(keys::Fingerprints& fingerprints, store::Job& job) {
  if (job.payload == store::Payload::kept) co_return Result<void>();
  SP_CO_CHECK(co_await hide_event_key(fingerprints, job));
  co_return co_await hide(fingerprints, job, "concurrency key", job.concurrency_key);
}

std::string trigger_forgotten(const store::Job& job) {
  constexpr std::string_view kWhy =
      "the recipe keeps no payload (retention: {payload: none}): what the job's trigger said was only in the memory of "
      "the relay, which has begun anew since";
  constexpr std::string_view kLook =
      "What the agent that had the job did after its last report is not known: look at the systems that its steps "
      "change first. ";
  const bool may_have_acted = job.held_before && job.mode == store::Mode::real;
  return fmt::format("{}. {}Start it again{}", kWhy, may_have_acted ? kLook : "",
                     job.event_key.empty() ? "" : ", with another event key: this one counts as seen");
}

std::string result_forgotten(std::string_view step) {
  return fmt::format(
      "the recipe keeps no payload (retention: {{payload: none}}): what step \"{}\" gave was only with "
      "the agent that ran it and was lost. Look at the systems that the job's steps change, then start "
      "it again",
      step);
}

}  // namespace sallyport::jobs
