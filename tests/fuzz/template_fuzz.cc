#include "shared/expr/template.h"

#include <cstdint>
#include <cstdlib>

// Any text is refused or filled in; a text without an expression comes out as its literal text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::expr;
  Environment environment;
  environment.declare("a").declare("s");
  Activation activation;
  activation.bind("a", Value(ValueList{Value(1), Value("x")})).bind("s", Value("text"));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = Template::parse(text, environment);
  if (!parsed) return 0;
  for (const auto& reference : parsed->references()) {
    if (reference.offset >= text.size()) std::abort();
  }
  const auto value = parsed->evaluate(activation, {.max_cost = 20'000, .max_output_bytes = 64u << 10});
  if (parsed->is_literal() && (!value || *value != Value(parsed->literal_text()))) std::abort();
  return 0;
}
