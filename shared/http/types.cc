#include "shared/http/types.h"

#include <algorithm>
#include <array>

namespace sallyport::http {
namespace {

constexpr std::array<std::pair<Method, std::string_view>, 6> kMethods{{{Method::get, "GET"},
                                                                       {Method::head, "HEAD"},
                                                                       {Method::post, "POST"},
                                                                       {Method::put, "PUT"},
                                                                       {Method::patch, "PATCH"},
                                                                       {Method::del, "DELETE"}}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view to_string(Method method) {
  return std::ranges::find(kMethods, method, &std::pair<Method, std::string_view>::first)->second;
}

std::optional<Method> parse_method(std::string_view text) {
  const auto it = std::ranges::find(kMethods, text, &std::pair<Method, std::string_view>::second);
  if (it == kMethods.end()) return std::nullopt;
  return it->first;
}

bool equal_names(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

const std::string* Headers::find(std::string_view name) const {
  const auto it = std::ranges::find_if(fields_, [&](const auto& field) { return equal_names(field.name, name); });
  return it == fields_.end() ? nullptr : &it->value;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields_, [&](const auto& field) { return equal_names(field.name, name); }));
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back({std::string(name), std::string(value)});
}

void Headers::set(std::string_view name, std::string_view value) {
  std::erase_if(fields_, [&](const auto& field) { return equal_names(field.name, name); });
  add(name, value);
}

}  // namespace sallyport::http
