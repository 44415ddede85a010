#include "relay/cli/recipe_replay.h"

#include "relay/cli/fixtures/verdict.h"
#include "relay/cli/recipe_file.h"
#include "relay/cli/recipe_record.h"
#include "relay/cli/requests.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMostShown = 400;  // bytes of a value

struct Replayed {
  std::string job;
  std::vector<fixtures::Failure> differences;
  std::vector<std::string> notes;
};

Result<Replayed> replay_job(Client& client, recipe::Recipe recipe, const std::string& job) {
  SP_TRY(auto made, recorded(client, recipe, job));
  const auto fixture = fixtures::fixture_of(made.fixture, recipe, {.file = job, .open = {}});
  if (!fixture) return std::unexpected(yaml::to_error(fixture.error()));
  const auto& one = fixture->cases.front();
  auto happened = fixtures::rehearse(std::make_shared<const recipe::Recipe>(std::move(recipe)), one);
  happened.advice = "the job does not tell, and so nothing after it is known";
  return Replayed{job, fixtures::judge(one, happened), std::move(made.notes)};
}

std::string text_of(const fixtures::Failure& difference) {
  auto text = terminal_safe_lines(difference.what) + "\n";
  if (difference.expected.empty()) return text;
  return text + terminal_safe_lines(fmt::format("  job  {}\n  now  {}\n", shortened(difference.expected, kMostShown),
                                                shortened(difference.got, kMostShown)));
}

std::string text_of(const Replayed& replayed) {
  std::string text;
  for (const auto& difference : replayed.differences) text += text_of(difference);
  const auto count = replayed.differences.size();
  text += count == 0 ? fmt::format("{}: no difference\n", replayed.job)
                     : fmt::format("{}: {} {}\n", replayed.job, count, count == 1 ? "difference" : "differences");
  for (const auto& note : replayed.notes) text += "note: " + terminal_safe(note) + "\n";
  return text;
}

Value value_of(const Replayed& replayed) {
  ValueList differences, notes;
  for (const auto& one : replayed.differences) {
    differences.emplace_back(ValueMap{
        {Value("message"), Value(one.what)}, {Value("job"), Value(one.expected)}, {Value("now"), Value(one.got)}});
  }
  for (const auto& note : replayed.notes) notes.emplace_back(note);
  return Value(ValueMap{{Value("job"), Value(replayed.job)},
                        {Value("differences"), Value(std::move(differences))},
                        {Value("notes"), Value(std::move(notes))}});
}

int replay(Context& context, const Arguments& arguments) {
  bool same = false;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(auto file, load_recipe_file(context, std::string(arguments.positional(0))));
    SP_TRY(const auto replayed, replay_job(client, std::move(file.recipe), std::string(arguments.positional(1))));
    context.show(value_of(replayed), text_of(replayed));
    same = replayed.differences.empty();
    return {};
  });
  return asked == kDone && !same ? kFailed : asked;
}

}  // namespace

Command recipe_replay_command() {
  return {
      "recipes",
      "replay",
      {"FILE", "JOB"},
      {},
      "what a recipe would do otherwise than a past job, with that job's input and answers",
      replay,
      {},
      "The recipe runs on this machine, against what the relay still has of the job: no agent is asked, and nothing\n"
      "takes effect. Exit code 1: there is a difference. docs/testing-recipes.md says what is compared."};
}

}  // namespace sallyport::cli
