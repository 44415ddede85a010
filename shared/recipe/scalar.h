#pragma once

#include "shared/base/value.h"
#include "shared/recipe/problem.h"

#include <cstddef>
#include <optional>
#include <string_view>

// What characters of a file mean and where they stand; private to this folder.
namespace sallyport::yaml {

// What a plain scalar means (yaml.h); nullopt for a number that fits neither int64 nor double. Doubles that canonical
// JSON writes as an integer (`1.0`, `1e3`) are that integer, so that a recipe means the same before and after storing.
std::optional<Value> plain_value(std::string_view text);

// A byte order mark is no part of a file's text; positions below count without it.
std::string_view without_bom(std::string_view text);
std::optional<Position> first_invalid_utf8(std::string_view text);
Position position_of_byte(std::string_view text, std::size_t offset);
// The byte at a position, '\0' beyond the end; and its offset (text.size() beyond the end).
char byte_at(std::string_view text, Position at);
std::size_t offset_of(std::string_view text, Position at);

}  // namespace sallyport::yaml
