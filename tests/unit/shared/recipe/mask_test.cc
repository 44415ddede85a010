#include "shared/recipe/mask.h"

#include "shared/base/json.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::recipe;

namespace {

Value parsed(std::string_view json) { return parse_json(json).value(); }
Mask at(std::vector<Mask::Path> paths) { return {.everything = false, .paths = std::move(paths)}; }
std::string seen(const Mask& mask, std::string_view json) { return to_json(redacted(mask.labelled(parsed(json)))); }
std::string left(const Mask& mask, std::string_view json) { return to_json(mask.without(parsed(json))); }

constexpr std::string_view kPeople = R"({"people":[{"name":"a","mail":"x"},{"name":"b"},7],"count":2})";

}  // namespace

TEST_CASE("a mask hides what its paths name, and nothing else", "[mask]") {
  CHECK(seen({}, kPeople) == to_json(parsed(kPeople)));
  CHECK(seen({.everything = true, .paths = {}}, kPeople) == R"("***")");
  CHECK(seen(at({{"count"}}), kPeople) == R"({"count":"***","people":[{"mail":"x","name":"a"},{"name":"b"},7]})");
  CHECK(seen(at({{"people"}}), kPeople) == R"({"count":2,"people":"***"})");
  CHECK(seen(at({{"none"}, {"count", "x"}, {"people", "none", "x"}}), kPeople) == to_json(parsed(kPeople)));
}

TEST_CASE("a path goes through lists into every element", "[mask]") {
  CHECK(seen(at({{"people", "mail"}, {"people", "name"}}), kPeople) ==
        R"({"count":2,"people":[{"mail":"***","name":"***"},{"name":"***"},7]})");
  CHECK(seen(at({{"x"}}), R"([[{"x":1}],{"x":2},3])") == R"([[{"x":"***"}],{"x":"***"},3])");
}

TEST_CASE("a path names attributes of a handle, which opens as before", "[mask]") {
  const Value file(Handle{"file", {{"path", "p"}, {"name", "n"}}});
  const Value made = at({{"file", "name"}}).labelled(Value(ValueMap{{"file", file}}));
  const auto& handle = made.find("file")->as_handle();
  CHECK(handle.kind == "file");
  CHECK(handle.attributes.at(Value("name")).label() == Label::masked);
  CHECK(handle.attributes.at(Value("name")).as_string() == "n");
  CHECK(handle.attributes.at(Value("path")).label() == Label::none);
}

TEST_CASE("labels that are there stay", "[mask]") {
  const Value secret = Value(ValueMap{{"a", 1}}).with_label(Label::secret);
  CHECK(at({{"a"}}).labelled(secret).label() == Label::secret);
  CHECK(at({{"a"}}).without(secret).label() == Label::secret);
}

TEST_CASE("what is left without what is masked", "[mask]") {
  CHECK(left({}, kPeople) == to_json(parsed(kPeople)));
  CHECK(left({.everything = true, .paths = {}}, kPeople) == "null");
  CHECK(left(at({{"people", "mail"}, {"count"}}), kPeople) == R"({"people":[{"name":"a"},{"name":"b"},7]})");
}

TEST_CASE("a mask of a part, and of a whole", "[mask]") {
  const Mask mask = at({{"input", "params", "card"}, {"output"}});
  CHECK(mask.below("input") == at({{"params", "card"}}));
  CHECK(mask.below("output").everything);
  CHECK(mask.below("other").nothing());
  CHECK(mask.below("input").under("results") == at({{"results", "params", "card"}}));
  CHECK(mask.below("output").under("results") == at({{"results"}}));
  CHECK(Mask{.everything = true, .paths = {}}.below("x").everything);

  using Place = std::vector<std::string>;
  CHECK(mask.touches(Place{"input"}));
  CHECK(mask.touches(Place{"input", "params", "card", "number"}));
  CHECK_FALSE(mask.touches(Place{"input", "params", "cards"}));
  CHECK(mask.touches(Place{}));
  CHECK_FALSE(Mask{}.touches(Place{}));
}
