#include "relay/jobs/parcel.h"

#include "relay/jobs/sealing.h"
#include "relay/jobs/zero_retention.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::jobs {
namespace {
constexpr std::size_t kEntryBytes = 256;  // what an entry needs besides its text
constexpr std::string_view kLocalBody = "spool";

// The envelope calls a payload that does not open invalid input; here the input is the relay's own database. Whose key
// was given up, or shredded, is lost as well.
std::unexpected<Error> damaged(std::string_view what, Error error) {
  if (error.code == Errc::invalid || error.code == Errc::not_found) error.code = Errc::internal;
  return in_context(what, std::move(error));
}
}  // namespace

bool is_kept_whole(const Value& output) {
  const auto entry_is_whole = [](const auto& entry) { return is_kept_whole(entry.second); };
  switch (output.kind()) {
    case Value::Kind::string: return output != redacted(Value("").with_label(Label::masked));
    case Value::Kind::list: return std::ranges::all_of(output.as_list(), is_kept_whole);
    case Value::Kind::map: return std::ranges::all_of(output.as_map(), entry_is_whole);
    case Value::Kind::handle:
      return output.as_handle().kind != kLocalBody &&
             std::ranges::all_of(output.as_handle().attributes, entry_is_whole);
    default: return true;
  }
}

store::awaitable<Result<std::string>> ParcelMaker::recipe_json(OrgId org, RecipeId recipe, std::uint32_t version) {
  VersionKey key{org, recipe, version};
  if (const auto it = recipes_.find(key); it != recipes_.end()) co_return it->second;
  SP_CO_TRY(auto found, co_await parts_.recipes.version(org, recipe, version));
  keep(std::move(key), found.canonical_json);
  co_return std::move(found.canonical_json);
}

void ParcelMaker::keep(VersionKey key, const std::string& json) {
  const auto bytes = kEntryBytes + json.size();
  if (kept_bytes_ + bytes > kMaxRecipeCache) {
    recipes_.clear();
    kept_bytes_ = 0;
  }
  if (recipes_.try_emplace(std::move(key), json).second) kept_bytes_ += bytes;
}

store::awaitable<Result<std::vector<CompletedStep>>> ParcelMaker::completed(const store::Job& job) {
  std::vector<CompletedStep> done;
  SP_CO_TRY(const auto steps, co_await parts_.history.completed(job.org, job.id, kMaxDone));
  for (const auto& step : steps) {
    if (job.payload == store::Payload::none && step.status != domain::StepStatus::skipped)
      co_return fail(Errc::not_found, result_forgotten(step.path));
    CompletedStep entry{step.path, step.attempt, std::string(domain::to_string(step.status)),
                        "null",    step.uses,    step.plan};
    if (!step.sealed_output.empty()) {
      SP_CO_TRY(entry.output_json, co_await open_output(job, step));
    }
    done.push_back(std::move(entry));
  }
  co_return done;
}

store::awaitable<Result<std::string>> ParcelMaker::open_output(const store::Job& job, const store::KeptStep& step) {
  const auto output = co_await parts_.envelope.open(step_identity(job.org, "output", job.id, step.path, step.attempt),
                                                    step.sealed_output);
  const auto what = fmt::format("opening the result of step \"{}\"", step.path);
  if (!output) co_return damaged(what, output.error());
  const auto value = parse_stored_json(output->reveal());
  if (!value) co_return damaged(what, value.error());
  if (!is_kept_whole(*value)) {
    co_return fail(Errc::invalid,
                   fmt::format("the result of step \"{}\" was kept only by the agent that ran it", step.path));
  }
  co_return std::string(output->reveal());
}

store::awaitable<Result<std::string>> ParcelMaker::trigger_of(const store::ClaimedJob& claimed) {
  const auto& job = claimed.job;
  if (job.payload == store::Payload::none) {
    const auto* held = parts_.memory.find({job.org, job.id});
    if (held == nullptr) co_return fail(Errc::not_found, trigger_forgotten(job));
    co_return std::string(held->reveal());
  }
  const auto trigger = co_await parts_.envelope.open(trigger_identity(job.org, job.id), claimed.sealed_trigger);
  if (!trigger) co_return damaged("opening the trigger data", trigger.error());
  co_return std::string(trigger->reveal());
}

store::awaitable<Result<Dispatch>> ParcelMaker::make(const store::ClaimedJob& claimed,
                                                     std::chrono::milliseconds lease_length) {
  const auto& job = claimed.job;
  Dispatch parcel;
  parcel.lease = {job.id, job.lease_epoch, lease_length};
  parcel.recipe = job.recipe;
  parcel.version = job.version;
  parcel.event_key = job.event_key;
  parcel.run_number = job.run_number;
  parcel.held_before = job.held_before;
  parcel.payload = job.payload;
  parcel.mode = job.mode;
  SP_CO_TRY(parcel.recipe_json, co_await recipe_json(job.org, job.recipe, job.version));
  SP_CO_TRY(parcel.trigger_json, co_await trigger_of(claimed));
  SP_CO_TRY(parcel.done, co_await completed(job));
  co_return parcel;
}

}  // namespace sallyport::jobs
