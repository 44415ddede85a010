#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace sallyport::app {

// A whole number in decimal digits, and nothing else.
template <class Number>
std::optional<Number> parse_decimal(std::string_view text) {
  Number number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace sallyport::app
