#pragma once

#include "relay/cli/context.h"
#include "relay/cli/fixtures/fixture.h"

#include <string>
#include <vector>

namespace sallyport::cli {

struct FixtureFile {
  std::string text;
  fixtures::Fixture fixture;
};

// "orders.yaml" -> "orders.test.yaml", beside it.
std::string fixture_beside(const std::string& recipe);
// Of a folder every file *.test.yaml, in order, at least one; else the path itself.
Result<std::vector<std::string>> fixture_files(const std::string& given);
// "-" is standard input. Its problems come with the lines they are about.
Result<FixtureFile> load_fixture(const Context& context, const recipe::Recipe& recipe, const std::string& path);

// A line break, the line, and a caret below the column; "" when there is none that helps.
std::string pointed_at(std::string_view text, yaml::Position at);

}  // namespace sallyport::cli
