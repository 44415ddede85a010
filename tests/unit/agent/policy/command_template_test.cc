#include "agent/policy/command_template.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

CommandTemplate sample() {
  CommandTemplate command;
  command.name = "report";
  command.rule = "policy.yaml:7 commands.report";
  command.argv = {"/usr/bin/report", "--day={day}", "{file}", "{{literal}}"};
  command.parameters["day"] = {.one_of = {"monday", "-sunday"}};
  command.parameters["file"] = {};
  return command;
}

Value given(std::initializer_list<std::pair<const char*, Value>> entries) {
  ValueMap map;
  for (const auto& [key, value] : entries) map.emplace(Value(key), value);
  return Value(std::move(map));
}

std::string refusal(const Value& parameters) {
  const auto filled = fill_template(sample(), parameters);
  REQUIRE_FALSE(filled);
  return filled.error().message;
}

}  // namespace

TEST_CASE("placeholders are replaced inside whole arguments", "[policy][command]") {
  const auto argv = fill_template(sample(), given({{"day", "monday"}, {"file", "a-b_c.csv"}}));
  REQUIRE(argv);
  CHECK(*argv == std::vector<std::string>{"/usr/bin/report", "--day=monday", "a-b_c.csv", "{literal}"});
  CHECK(fill_template(sample(), given({{"day", "-sunday"}, {"file", 42}}))->at(2) == "42");
  CHECK(fill_template(sample(), given({{"day", "monday"}, {"file", true}}))->at(2) == "true");
}

TEST_CASE("unsuitable parameters are refused by name and rule, never with their value", "[policy][command]") {
  const std::string canary = "c4n4ry";
  CHECK(refusal(given({{"file", "x"}})).find("day") != std::string::npos);
  CHECK(refusal(given({{"day", Value()}, {"file", "x"}})).find("missing") != std::string::npos);
  CHECK(refusal(given({{"day", canary}, {"file", "x"}})).find(canary) == std::string::npos);
  for (std::string bad : {"-rf", "a b", "a;b", "$(id)", "a\nb", "../x", "", "ä"}) {
    INFO(bad);
    const auto message = refusal(given({{"day", "monday"}, {"file", bad}}));
    CHECK(message.find("file") != std::string::npos);
  }
  CHECK(refusal(given({{"day", "monday"}, {"file", std::string("a\0b", 3)}})).find("character") != std::string::npos);
  CHECK(refusal(given({{"day", "monday"}, {"file", std::string(257, 'a')}})).find("longer than 256") !=
        std::string::npos);
  CHECK(refusal(given({{"day", "monday"}, {"file", "x"}, {"extra", canary}})).find("it has: day, file") !=
        std::string::npos);
  CHECK(fill_template(sample(), given({{"day", "friday"}, {"file", "x"}})).error().rule ==
        "policy.yaml:7 commands.report.parameters.day");
}

TEST_CASE("classes of characters", "[policy][command]") {
  auto command = sample();
  const auto fits = [&](std::string_view value) {
    return fill_template(command, given({{"day", "monday"}, {"file", value}})).has_value();
  };
  using Class = CommandParameter::Class;
  command.parameters["file"] = {.classes = static_cast<unsigned>(Class::digits), .also = ""};
  CHECK(fits("123"));
  CHECK_FALSE(fits("12a"));
  CHECK_FALSE(fits("1.2"));
  command.parameters["file"] = {.classes = static_cast<unsigned>(Class::any), .also = ""};
  CHECK(fits("grüße / *?"));
  CHECK_FALSE(fits("a\tb"));
  CHECK_FALSE(fits("\xff"));
  command.parameters["file"].may_start_with_dash = true;
  CHECK(fits("-v"));
}

TEST_CASE("braces are read strictly", "[policy][command]") {
  CHECK(*placeholders_of("--x={a},{b}") == std::vector<std::string>{"a", "b"});
  CHECK(placeholders_of("{{}}")->empty());
  for (const char* bad : {"{", "}", "{a", "a}", "{}", "{{a}"}) {
    INFO(bad);
    CHECK_FALSE(placeholders_of(bad));
  }
}

TEST_CASE("a recipe sets only the variables that the template lists", "[policy][command]") {
  const std::string canary = "c4n4ry";
  auto command = sample();
  command.environment = {{"LANG", "C"}};
  command.recipe_environment = {"TOKEN", "COUNT"};
  const auto filled = fill_environment(command, given({{"TOKEN", canary}, {"COUNT", 3}}));
  REQUIRE(filled);
  const std::vector<std::pair<std::string, std::string>> wanted{{"LANG", "C"}, {"COUNT", "3"}, {"TOKEN", canary}};
  CHECK(*filled == wanted);
  CHECK(fill_environment(command, Value())->size() == 1);
  for (const auto& bad :
       {given({{"LANG", canary}}), given({{"LD_PRELOAD", canary}}), given({{"TOKEN", Value()}}),
        given({{"TOKEN", Value(ValueList{canary})}}), given({{"TOKEN", canary + std::string(1, '\0')}}),
        given({{"TOKEN", std::string((32u << 10) + 1, 'x')}})}) {
    const auto refused = fill_environment(command, bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().rule == "policy.yaml:7 commands.report.recipe_environment");
    CHECK(refused.error().message.find(canary) == std::string::npos);
  }
}

TEST_CASE("names of variables", "[policy][command]") {
  for (const char* good : {"A", "_x", "ERP_TOKEN", "a1"}) CHECK(is_variable_name(good));
  for (const char* bad : {"", "1A", "A-B", "A=B", "A B", "Ä"}) CHECK_FALSE(is_variable_name(bad));
}
