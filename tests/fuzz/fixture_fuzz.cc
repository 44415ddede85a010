#include "relay/cli/fixtures/verdict.h"
#include "shared/recipe/loader.h"

#include <cstdint>
#include <cstdlib>

namespace {

std::shared_ptr<const sallyport::recipe::Recipe> known_recipe() {
  auto loaded = sallyport::recipe::load_recipe(R"(
recipe: orders
run_on: dc1
trigger: {uses: file.watch@1, connection: c, with: {path: in}}
inputs: {day: {type: text}}
steps:
  - {id: rows, uses: csv.read@1, with: {source: "${{ trigger.file }}"}}
  - {id: each, uses: sql.execute@1, connection: db, foreach: "${{ steps.rows.output.rows }}", with: {statement: "select :p", params: {p: "${{ item }}", t: "${{ secrets.token }}"}}, retry: {max: 2}}
  - {id: say, uses: log.write@1, with: {text: "${{ inputs.day }}"}}
on_failure:
  - {id: tell, uses: file.delete@1, connection: c, with: {path: "${{ error.step }}"}}
)");
  if (!loaded) std::abort();
  return std::make_shared<const sallyport::recipe::Recipe>(*std::move(loaded));
}

}  // namespace

// Whatever reads runs to an end, and the end has a verdict.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  static const auto recipe = known_recipe();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto open = [](const std::string&) { return Result<std::string>("{\"a\":1}\n[2]\n"); };
  const auto fixture = fixtures::read_fixture(text, *recipe, {.file = "fuzz", .open = open});
  if (!fixture) {
    if (fixture.error().empty()) std::abort();
    return 0;
  }
  for (const auto& one : fixture->cases) {
    const auto happened = fixtures::rehearse(recipe, one);
    if (happened.state.has_value() != happened.stuck.empty()) std::abort();
    if (!happened.state && fixtures::judge(one, happened).empty()) std::abort();
  }
  return 0;
}
