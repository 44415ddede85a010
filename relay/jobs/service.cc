#include "relay/jobs/service.h"

#include "relay/jobs/concurrency.h"
#include "relay/jobs/sealing.h"
#include "relay/jobs/zero_retention.h"
#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "shared/recipe/catalogue.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::jobs {
namespace {

constexpr std::uint64_t kMaxQueued = 100'000;  // of one organisation and group

constexpr std::string_view kHolderLost = "holder_lost";
constexpr std::string_view kCancelledInDoubt =
    "the agent that ran the job was lost in the middle of a step, and the job was cancelled before another agent took "
    "it over: whether that step had its effect is not known. Look at its target before you re-run the job";

constexpr std::string_view kNotRunAgain =
    "the recipe keeps no payload (retention: {payload: none}): nothing is left of what the job worked with, so that it "
    "cannot be run again; start the recipe anew";

constexpr std::string_view kNoEventKey =
    "a dry run has no event key: it is not the run of an event, and none that starts later may stand back for it";
constexpr std::string_view kWhole =
    "the job was a dry run: its steps left nothing for later ones to go on from; run it again without from_step";

// "webhook@1" is told as "webhook".
std::string kind_of(const std::string& uses) { return uses.substr(0, uses.find('@')); }

std::string_view step_id_of(std::string_view path) { return path.substr(0, path.find('[')); }

// The step has a result that later steps can go on from.
bool is_done(const recipe::Step& step, const std::vector<CompletedStep>& kept) {
  const auto found = std::ranges::find(kept, step.id, &CompletedStep::path);
  if (found == kept.end()) return false;
  return found->status != to_string(domain::StepStatus::failed) || step.failure() == recipe::OnFailure::go_on;
}

}  // namespace

store::awaitable<Result<store::AddedJob>> StoredJobService::start(OrgId org, StartJob request, Actor,
                                                                  store::AuditNote<store::AddedJob> note) {
  if (request.mode != store::Mode::real && !request.event_key.empty())
    co_return fail(Errc::invalid, std::string(kNoEventKey));
  SP_CO_TRY(const auto found, co_await parts_.recipes.find(org, request.recipe));
  const auto number = request.version ? request.version : found.active_version;
  if (!number)
    co_return fail(Errc::conflict, fmt::format("recipe \"{}\" has no active version; activate one first", found.name));
  SP_CO_TRY(const auto outline, co_await parts_.outlines.find(org, request.recipe, *number));
  const auto& recipe = *outline;
  if (recipe.trigger.uses != "manual@1") {
    co_return fail(
        Errc::invalid,
        fmt::format("recipe \"{}\" starts by itself ({}); only a recipe with the trigger manual@1 can be started",
                    found.name, recipe.trigger.uses));
  }
  SP_CO_TRY(const auto inputs, recipe::bind_inputs(recipe, request.inputs));
  const Value trigger(ValueMap{{Value("kind"), Value("manual")}, {Value("inputs"), inputs}});
  co_return co_await start_job({.org = std::move(org),
                                .recipe = std::move(request.recipe),
                                .version = *number,
                                .outline = outline,
                                .trigger = trigger,
                                .trigger_json = to_json(trigger),
                                .event_key = std::move(request.event_key),
                                .mode = request.mode,
                                .priority = request.priority,
                                .request_key = std::move(request.request_key)},
                               std::move(note));
}

store::awaitable<Result<store::AddedJob>> StoredJobService::start_event(OrgId org, StartEvent event,
                                                                        store::AuditNote<store::AddedJob> note) {
  SP_CO_TRY(const auto found, co_await parts_.recipes.find(org, event.recipe));
  if (!found.active_version) co_return fail(Errc::not_found, "no version of the recipe is active");
  SP_CO_TRY(const auto outline, co_await parts_.outlines.find(org, event.recipe, *found.active_version));
  if (outline->trigger.uses != event.uses) co_return fail(Errc::not_found, "the recipe starts by another trigger");
  auto trigger = std::move(event.data).as_map();
  trigger.insert_or_assign("kind", kind_of(event.uses));
  if (const auto group = co_await group_of(org, outline); !group)
    co_return fail(group.error().code == Errc::conflict ? Errc::not_found : group.error().code, group.error().message);
  SP_CO_TRY(auto inputs, recipe::bind_inputs(*outline, Value()));
  SP_CO_TRY(auto key, event_key_of(*outline, Value(trigger), inputs, std::move(event.natural_key)));
  trigger.insert_or_assign("inputs", std::move(inputs));
  auto text = stored_json(Value(trigger));
  co_return co_await start_job({.org = std::move(org),
                                .recipe = std::move(event.recipe),
                                .version = *found.active_version,
                                .outline = outline,
                                .trigger = Value(std::move(trigger)),
                                .trigger_json = std::move(text),
                                .event_key = std::move(key)},
                               std::move(note));
}

store::awaitable<Result<store::AddedJob>> StoredJobService::start_job(Order order,
                                                                      store::AuditNote<store::AddedJob> note) {
  const auto& recipe = *order.outline;
  if (order.trigger_json.size() > kMaxTriggerJson) {
    co_return fail(
        Errc::too_large,
        fmt::format("what starts the job is {} bytes, at most {} are allowed: put large data where the agent reads it",
                    order.trigger_json.size(), kMaxTriggerJson));
  }
  SP_CO_TRY(const auto group, co_await group_of(order.org, order.outline));

  store::Job job;
  job.org = order.org;
  job.recipe = std::move(order.recipe);
  job.version = order.version;
  job.group = group.id;
  job.trigger_kind = order.trigger.find("kind")->as_string();
  job.event_key = std::move(order.event_key);
  job.priority = order.priority.value_or(static_cast<std::int32_t>(recipe.rank()));
  job.payload = payload_of(recipe);
  job.mode = order.mode;
  const bool is_real = job.mode == store::Mode::real;
  const auto& concurrency = recipe.concurrency;
  if (concurrency && is_real) {
    job.concurrency_limit = static_cast<std::uint32_t>(concurrency->limit);
    SP_CO_TRY(job.concurrency_key, concurrency_key_of(recipe, order.trigger, *order.trigger.find("inputs")));
  }
  SP_CO_TRY(const auto kept, co_await parts_.retention.in_effect(order.org, asked_of(recipe)));
  keep_for(job, kept);
  SP_CO_CHECK(co_await hide_keys(parts_.fingerprints, job));
  if (recipe.trigger.uses == recipe::kWebhookTrigger && job.payload == store::Payload::kept && tells_masked(recipe)) {
    SP_CO_CHECK(co_await hide_event_key(parts_.fingerprints, job));
  }
  const bool skips = is_real && concurrency && concurrency->conflict() == recipe::OnConflict::skip;
  store::NewJob fresh{.job = std::move(job),
                      .only_with_room = skips,
                      .request_key = std::move(order.request_key),
                      .most_queued = kMaxQueued};
  co_return co_await queue(std::move(fresh), std::move(order.trigger_json), {}, std::move(note));
}

store::awaitable<Result<store::Group>> StoredJobService::group_of(OrgId org, RecipeOutlines::Outline recipe) {
  auto group = co_await parts_.groups.find_by_name(org, recipe->run_on);
  if (group || group.error().code != Errc::not_found) co_return group;
  co_return fail(Errc::conflict,
                 fmt::format("recipe \"{}\" runs on agent group \"{}\", which does not exist; create it first",
                             recipe->name, recipe->run_on));
}

store::awaitable<Result<VolatilePayloads::Place>> StoredJobService::put_trigger(store::NewJob& added,
                                                                                const keys::NewJobKeys& keys,
                                                                                std::string trigger_json) {
  const auto& job = added.job;
  if (job.payload == store::Payload::none)
    co_return parts_.memory.hold({job.org, job.id}, Secret::take(std::move(trigger_json)));
  SP_CO_TRY(added.sealed_trigger,
            co_await parts_.envelope.seal_new(keys, trigger_identity(job.org, job.id), as_bytes(trigger_json)));
  co_return VolatilePayloads::Place();
}

store::awaitable<Result<store::AddedJob>> StoredJobService::queue(store::NewJob added, std::string trigger_json,
                                                                  std::vector<CompletedStep> kept,
                                                                  store::AuditNote<store::AddedJob> note) {
  added.job.id = crypto::new_id<JobId>(parts_.clock);
  added.job.created_at = parts_.clock.wall();
  const OrgId org = added.job.org;
  const JobId id = added.job.id;
  SP_CO_TRY(auto keys, co_await parts_.envelope.make_job_keys(org, id, added.job.retention));
  SP_CO_TRY(auto place, co_await put_trigger(added, keys, std::move(trigger_json)));
  for (const auto& step : kept) {
    SP_CO_TRY(auto output, co_await parts_.envelope.seal_new(
                               keys, step_identity(org, "output", added.job.id, step.path, step.attempt),
                               as_bytes(step.output_json)));
    SP_CO_TRY(const auto status, domain::parse_step_status(step.status));
    added.kept.push_back({step.path, step.attempt, status, step.uses, std::move(output)});
  }
  added.keys = std::move(keys.wrapped);
  SP_CO_TRY(auto stored, co_await parts_.jobs.add(org, std::move(added), std::move(note)));
  if (stored.job.id == id) place.keep();  // else an earlier job stands for this start
  parts_.feed.publish(org, stored.job.recipe, {stored.job.id, 0});
  parts_.dispatcher.wake();
  co_return stored;
}

store::awaitable<Result<store::Job>> StoredJobService::cancel(OrgId org, JobId id, Actor,
                                                              store::AuditNote<store::Job> note) {
  store::Cancel order{parts_.clock.wall()};
  order.if_in_doubt = co_await seal_fault({parts_.envelope, parts_.log}, org, id,
                                          {std::string(kHolderLost), std::string(kCancelledInDoubt)});
  SP_CO_TRY(auto job, co_await parts_.jobs.request_cancel(org, id, std::move(order), std::move(note)));
  if (domain::is_active(job.state))
    parts_.dispatcher.tell_cancelled(job);
  else
    parts_.dispatcher.job_ended(job);
  parts_.feed.publish(org, job.recipe, {id, 0});
  co_return job;
}

store::awaitable<Result<std::vector<CompletedStep>>> StoredJobService::results_before(const store::Job& old,
                                                                                      const std::string& step) {
  SP_CO_TRY(const auto outline, co_await parts_.outlines.find(old.org, old.recipe, old.version));
  const auto& steps = outline->steps;
  const auto at = std::ranges::find(steps, step, &recipe::Step::id);
  if (at == steps.end()) co_return fail(Errc::invalid, fmt::format("the recipe has no step \"{}\"", step));
  const auto is_before = [&](const CompletedStep& done) {
    return std::ranges::find(steps.begin(), at, step_id_of(done.path), &recipe::Step::id) != at;
  };
  SP_CO_TRY(auto completed, co_await parts_.parcels.completed(old));
  std::vector<CompletedStep> kept;
  std::ranges::copy_if(completed, std::back_inserter(kept), is_before);
  for (auto earlier = steps.begin(); earlier != at; ++earlier) {
    if (!is_done(*earlier, kept)) {
      co_return fail(Errc::invalid,
                     fmt::format("step \"{}\" did not complete; re-run from there or earlier", earlier->id));
    }
  }
  co_return kept;
}

store::awaitable<Result<Secret>> StoredJobService::trigger_of(store::Job job) {
  auto sealed = co_await parts_.jobs.sealed_trigger(job.org, job.id);
  if (!sealed && sealed.error().code == Errc::not_found)
    co_return std::unexpected(co_await parts_.retention.payload_ended(std::move(job)));
  if (!sealed) co_return std::unexpected(std::move(sealed).error());
  auto opened = co_await parts_.envelope.open(trigger_identity(job.org, job.id), *sealed);
  if (!opened && opened.error().code == Errc::not_found)  // its key went, and what it sealed is about to
    co_return std::unexpected(co_await parts_.retention.payload_ended(std::move(job)));
  co_return opened;
}

store::awaitable<Result<store::Job>> StoredJobService::rerun(OrgId org, RerunJob request, Actor,
                                                             store::AuditNote<store::AddedJob> note) {
  SP_CO_TRY(const auto old, co_await parts_.jobs.find(org, request.job));
  if (!domain::is_final(old.state))
    co_return fail(Errc::conflict, "the job has not ended yet; cancel it first or wait");
  if (old.mode == store::Mode::dry_run && !request.from_step.empty())
    co_return fail(Errc::invalid, std::string(kWhole));
  if (old.payload == store::Payload::none) co_return fail(Errc::conflict, std::string(kNotRunAgain));
  SP_CO_TRY(const auto trigger, co_await trigger_of(old));
  std::vector<CompletedStep> kept;
  if (!request.from_step.empty()) {
    SP_CO_TRY(kept, co_await results_before(old, request.from_step));
  }

  store::Job job;
  job.org = org;
  job.recipe = old.recipe;
  job.version = old.version;
  job.group = old.group;
  job.trigger_kind = "rerun";
  job.event_key = old.event_key;
  job.priority = old.priority;
  job.rerun_of = old.id;
  job.mode = old.mode;
  job.concurrency_key = old.concurrency_key;
  job.concurrency_limit = old.concurrency_limit;
  SP_CO_TRY(const auto keep, co_await parts_.retention.in_effect(org, domain::as_asked(old.retention)));
  keep_for(job, keep);
  SP_CO_CHECK(co_await hide_keys(parts_.fingerprints, job));
  store::NewJob fresh{.job = std::move(job), .request_key = std::move(request.request_key), .most_queued = kMaxQueued};
  SP_CO_TRY(auto queued,
            co_await queue(std::move(fresh), std::string(trigger.reveal()), std::move(kept), std::move(note)));
  co_return std::move(queued.job);
}

}  // namespace sallyport::jobs
