#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/value.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::connectors {

// Reads the arguments of one step run. The runner has checked them against the catalogue already; what is missing or of
// another type here is class "invalid" and names the argument, never its value.
class Arguments {
 public:
  // `map` outlives this.
  explicit Arguments(const Value& map) : map_(map) {}

  StepResult<std::string> text(std::string_view name) const;
  std::string text_or(std::string_view name, std::string_view fallback) const;
  StepResult<std::int64_t> integer(std::string_view name) const;
  std::int64_t integer_or(std::string_view name, std::int64_t fallback) const;
  std::optional<std::chrono::milliseconds> duration(std::string_view name) const;  // "5s" or a duration value
  bool is_true(std::string_view name) const;                                       // false when absent
  StepResult<std::span<const std::byte>> content(std::string_view name) const;     // of text or bytes; borrowed
  StepResult<Handle> handle(std::string_view name) const;
  StepResult<const Value*> any(std::string_view name) const;
  const Value& map() const { return map_; }
  const Value* find(std::string_view name) const { return present(name); }  // absent or null: nullptr

 private:
  const Value* present(std::string_view name) const;
  const Value& map_;
};

// An attribute of a handle; class "invalid" when it is missing or of another type, because then it is not ours.
StepResult<std::string> text_attribute(const Handle& handle, std::string_view name);
StepResult<std::int64_t> integer_attribute(const Handle& handle, std::string_view name);

}  // namespace sallyport::connectors
