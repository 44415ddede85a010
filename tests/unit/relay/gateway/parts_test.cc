#include "proto/sallyport/v1/jobs.pb.h"
#include "relay/gateway/codec.h"
#include "shared/mux/message.h"

#include <catch2/catch.hpp>

using namespace sallyport;

namespace {

std::vector<v1::ToAgent> sent(const jobs::ToAgent& message) {
  std::vector<v1::ToAgent> parts;
  for (const auto& bytes : gateway::encode(message)) {
    CHECK(bytes.size() <= mux::kMaxMessage);
    REQUIRE(parts.emplace_back().ParseFromString(bytes));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) CHECK(parts[i].more() == (i + 1 < parts.size()));
  return parts;
}

}  // namespace

TEST_CASE("a short list is one message", "[codec]") {
  CHECK(sent(jobs::Dispatch{.recipe_json = "{}", .done = {{"a", 1, "succeeded", "1"}}}).size() == 1);
  CHECK(sent(jobs::AssignmentSet{7, {{RecipeId("rcp_1"), 1, "{}"}}}).size() == 1);
  CHECK(sent(jobs::AssignmentSet{7, {}}).size() == 1);
}

TEST_CASE("what is done of a dispatch goes in parts, in order and whole", "[codec]") {
  jobs::Dispatch dispatch;
  dispatch.lease = {JobId("job_1"), 4, std::chrono::seconds(60)};
  dispatch.recipe = RecipeId("rcp_1");
  dispatch.recipe_json = std::string(200'000, 'r');
  dispatch.held_before = true;
  for (std::uint32_t i = 1; i <= 30; ++i)
    dispatch.done.push_back({"s" + std::to_string(i), i, "succeeded", std::string(256u << 10, 'o')});
  const auto parts = sent(dispatch);
  CHECK(parts.size() > 10);
  CHECK(parts.front().dispatch().recipe_json() == dispatch.recipe_json);
  CHECK(parts.front().dispatch().held_before());
  std::uint32_t next = 1;
  for (const auto& part : parts) {
    CHECK(part.dispatch().job_id() == "job_1");
    CHECK(part.dispatch().lease_epoch() == 4);
    for (const auto& step : part.dispatch().done()) CHECK(step.attempt() == next++);
  }
  CHECK(next == 31);
}

TEST_CASE("an agent's assignments go in parts of one revision", "[codec]") {
  jobs::AssignmentSet set{9, {}};
  for (std::uint32_t i = 1; i <= 100; ++i)
    set.recipes.push_back({RecipeId("rcp_" + std::to_string(i)), i, std::string(100'000, 'r')});
  const auto parts = sent(set);
  CHECK(parts.size() > 10);
  std::uint32_t next = 1;
  for (const auto& part : parts) {
    CHECK(part.assignments().revision() == 9);
    for (const auto& recipe : part.assignments().recipes()) CHECK(recipe.recipe_version() == next++);
  }
  CHECK(next == 101);
}
