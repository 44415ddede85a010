#include "tests/sim/runner/recipe_maker.h"

#include <fmt/format.h>

namespace sallyport::sim {
namespace {

const std::vector<std::string> kActions = {
    "uses: file.list@1, connection: c, with: {{path: \"{}\"}}",
    "uses: file.move@1, connection: c, with: {{from: \"{}\", to: y}}",
    "uses: sql.execute@1, connection: db, with: {{statement: \"delete from t\"}}",
    "uses: command.run@1, with: {{template: \"t\"}}",
};

std::string retry(Dice& dice) {
  return fmt::format(", retry: {{max: {}, initial: {}s, backoff: {}, on: [any]}}", 1 + dice.below(3),
                     1 + dice.below(60), dice.one_in(2) ? "fixed" : "exponential");
}

std::string options(Dice& dice) {
  std::string text;
  if (dice.one_in(3)) text += retry(dice);
  if (dice.one_in(3)) text += ", on_failure: continue";
  if (dice.one_in(2)) text += ", on_in_doubt: " + dice.pick<std::string>({"ask", "retry", "skip", "stop"});
  if (dice.one_in(5)) text += ", mask: true";
  if (dice.one_in(6)) text += dice.one_in(2) ? ", if: \"job.run_number > 0\"" : ", if: \"1 > 2\"";
  if (dice.one_in(4)) text += fmt::format(", timeout: {}m", 1 + dice.below(30));
  return text;
}

std::string loop(Dice& dice, bool rows) {
  std::string list = "[";
  const std::size_t items = dice.below(12);
  for (std::size_t i = 0; i < items; ++i) list += fmt::format("{}{}", i == 0 ? "" : ", ", i);
  return fmt::format(", foreach: {{over: \"{}\", concurrency: {}{}}}", rows ? "steps.rows.output.rows" : list + "]",
                     1 + dice.below(4), dice.one_in(2) ? ", on_item_failure: continue" : "");
}

std::string step(Dice& dice, std::size_t number, bool with_rows) {
  const std::string id = fmt::format("s{}", number);
  const std::size_t kind = dice.below(12);
  if (kind == 0)
    return fmt::format("  - {{id: {}, uses: wait.for@1, with: {{duration: {}m}}}}\n", id, 1 + dice.below(90));
  if (kind == 1) return fmt::format("  - {{id: {}, uses: log.write@1, with: {{text: \"at {}\"}}}}\n", id, id);
  if (kind == 2) {
    return fmt::format("  - {{id: {}, if: \"{}\", stop: {{status: {}}}}}\n", id, dice.one_in(4) ? "true" : "false",
                       dice.pick<std::string>({"succeeded", "failed", "cancelled"}));
  }
  std::string text = "  - {id: " + id + ", " + fmt::format(fmt::runtime(dice.pick(kActions)), "x") + options(dice);
  if (kind >= 8) text += loop(dice, with_rows && kind >= 10);
  return text + "}\n";
}

}  // namespace

std::string make_recipe(Dice& dice) {
  std::string text = "recipe: sim\nrun_on: dc1\ntrigger: {uses: manual@1}\n";
  if (dice.one_in(4)) text += fmt::format("timeout: {}h\n", 1 + dice.below(6));
  text += "steps:\n";
  const bool rows = dice.one_in(3);
  if (rows) text += "  - {id: rows, uses: csv.read@1, with: {source: \"${{ trigger.inputs.file }}\"}}\n";
  const std::size_t count = 1 + dice.below(6);
  for (std::size_t i = 0; i < count; ++i) text += step(dice, i, rows);
  if (dice.one_in(3)) text += "on_failure:\n  - {id: tell, uses: command.run@1, with: {template: tell}}\n";
  return text;
}

}  // namespace sallyport::sim
