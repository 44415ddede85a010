#include "relay/cli/recipe_record.h"

#include "relay/cli/job_views.h"
#include "relay/cli/recipe_file.h"
#include "relay/cli/step_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::cli {
namespace {

// Null when it is not kept any more.
Result<Value> trigger_of(Client& client, const std::string& id) {
  const auto answer = client.get(fill("/v1/jobs/{}/trigger", id));
  if (!answer && answer.error().code == Errc::conflict) return Value();
  if (!answer) return std::unexpected(answer.error());
  const Value* trigger = answer->find("trigger");
  return trigger == nullptr ? Value() : *trigger;
}

}  // namespace

Result<fixtures::Recording> recorded(Client& client, const recipe::Recipe& recipe, std::string_view word) {
  SP_TRY(const auto id, checked_id("job", "job_", word));
  SP_TRY(const auto job, ask_job(client, id));
  if (const auto name = text_of(job, "recipe_name"); name != recipe.name) {
    return fail(Errc::invalid,
                fmt::format("{} is a job of the recipe {}, not of {}", id, terminal_safe(name), recipe.name));
  }
  if (const Value* dry_run = job.find("dry_run"); dry_run != nullptr && *dry_run == Value(true))
    return fail(Errc::invalid, fmt::format("{} is a dry run: a fixture is made of a job that has run", id));
  constexpr std::array<std::string_view, 5> kEnded{"succeeded", "failed", "cancelled", "timed_out", "in_doubt"};
  if (const auto state = text_of(job, "state"); std::ranges::find(kEnded, state) == kEnded.end())
    return fail(Errc::invalid, fmt::format("{} is {}: a fixture is made of a job that an agent has brought to its end",
                                           id, terminal_safe(state)));
  SP_TRY(const auto trigger, trigger_of(client, id));
  fixtures::Recorder recorder(recipe, job, trigger);
  SP_CHECK(each_step(client, id, Payloads::with, [&](const Value& step) { recorder.add(step); }));
  return std::move(recorder).finish();
}

int record_job(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto file, load_recipe_file(context, std::string(arguments.positional(0))));
    SP_TRY(const auto made, recorded(client, file.recipe, arguments.get("record")));
    std::string comments;
    for (const auto& note : made.notes) comments += "# " + terminal_safe(note) + "\n";
    context.show(made.fixture, comments + terminal_safe_json(yaml_of(made.fixture)));
    if (context.format == Format::table) return {};
    for (const auto& note : made.notes) context.complain(terminal_safe(note));
    return {};
  });
}

}  // namespace sallyport::cli
