// The reference in docs/ is the one that the catalogue makes.
#include "shared/recipe/reference.h"

#include "shared/recipe/catalogue.h"
#include "tests/support/published.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string row_of(std::string_view page, std::string_view row) {
  const auto text = page_reference(page);
  const auto from = text.find(row);
  return from == std::string::npos ? "" : text.substr(from, text.find('\n', from) - from);
}

void check_described(std::string_view owner, std::span<const Field> fields) {
  for (const auto& field : fields) {
    INFO(owner << " " << field.name);
    CHECK_FALSE(field.doc.empty());
    check_described(owner, field.inside);
  }
}

}  // namespace

TEST_CASE("the published reference is the one of the catalogue", "[reference][golden]") {
  test::check_published("docs/actions.md", catalogue_index());
  for (const auto& page : reference_pages())
    test::check_published_section("docs/connectors/" + page + ".md", "reference", page_reference(page));
}

TEST_CASE("every trigger and action has its place in the reference, once", "[reference]") {
  std::string all;
  for (const auto& page : reference_pages()) all += page_reference(page);
  const auto check = [&](std::string_view name) {
    INFO(name);
    CHECK(count_of(all, fmt::format("### `{}`\n", name)) == 1);
    CHECK(count_of(catalogue_index(), fmt::format("| `{}` |", name)) == 1);
  };
  for (const auto& trigger : triggers()) check(trigger.name);
  for (const auto& action : actions()) check(action.name);
  CHECK(page_reference("no-such-page").empty());
}

TEST_CASE("the reference says what a field takes, its default and its limits", "[reference]") {
  CHECK(row_of("sql", "| `batch`") ==
        "| `batch` | an integer, *literal* | `100` | 1 to 1,000 | rows in one event, at most; fewer when they are over "
        "240 KiB |");
  CHECK(row_of("built-in", "| `duration`").contains("| a duration | **required** | 0s to 30d |"));
  CHECK(row_of("built-in", "| `catch_up`").contains("| `\"skip\"` | `skip`, `once` |"));
  CHECK(row_of("sql", "| `params`").contains("*secret*"));
  CHECK(row_of("formats", "| `delimiter`").contains("| `\",\"` |"));
}

TEST_CASE("every field and output is described", "[reference]") {
  const auto check = [](const auto& info, std::span<const OutputField> outputs) {
    check_described(info.name, info.fields);
    for (const auto& output : outputs) {
      INFO(info.name << " " << output.name);
      CHECK_FALSE(output.doc.empty());
    }
  };
  for (const auto& trigger : triggers()) check(trigger, trigger.data);
  for (const auto& action : actions()) check(action, action.output);
}
