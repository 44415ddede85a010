#pragma once

#include "shared/expr/expr.h"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::expr::test {

// A value as a person would write it: 1, 1u, 1.0, 'a', b64(..), [..], {k: v}, timestamp(..), duration(..), type(..).
std::string shown(const Value& value);

// What `source` evaluates to, shown; or "error: " and the message. Checked first; unchecked() leaves the checker out.
std::string result(std::string_view source, const Activation& bindings = {},
                   const std::vector<std::string>& names = {});
std::string unchecked(std::string_view source, const Activation& bindings = {},
                      const std::vector<std::string>& names = {});

struct Case {
  std::string_view source;
  std::string_view expected;  // as shown(); or a fragment of the message behind "error: "
};
// Evaluates each case checked, or unchecked, and compares.
void check_all(const std::vector<Case>& cases);
void check_all_unchecked(const std::vector<Case>& cases);

}  // namespace sallyport::expr::test
