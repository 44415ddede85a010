#include "shared/expr/expr.h"

#include "shared/base/json.h"

#include <cstdint>
#include <cstdlib>

// Any text is refused or evaluated within its limits; what the checker accepts gives the same result as unchecked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::expr;
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  Environment environment;
  environment.declare("a").declare("b.c").declare("s", Type(Type::Kind::string)).declare("secret").declare("file");
  Activation activation;
  activation.bind("a", Value(ValueList{Value(1), Value("x"), Value(2.5), Value(std::uint64_t{3}), Value()}));
  activation.bind("b.c", Value(ValueMap{{Value("k"), Value(ValueList{Value(true)})}, {Value(1), Value("one")}}));
  activation.bind("s", Value("text \u00e9 \U0001F600"));
  activation.bind("secret", Value("hunter2").with_label(Label::secret));
  activation.bind("file", Value(Handle{"file", {{Value("path"), Value("in/a.csv")}}}));
  const EvalLimits limits{.max_cost = 20'000, .max_output_bytes = 64u << 10};

  const auto checked = compile(source, environment);
  const auto unchecked = compile(source, environment, Checking::off);
  if (!unchecked) return checked ? (std::abort(), 0) : 0;
  const auto value = evaluate(*unchecked, activation, limits);
  if (value) (void)to_json(*value);
  if (!checked) return 0;
  const auto again = evaluate(*checked, activation, limits);
  if (again.has_value() != value.has_value()) std::abort();
  if (value && to_json(*value) != to_json(*again)) std::abort();
  return 0;
}
