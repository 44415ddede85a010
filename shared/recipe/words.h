#pragma once

#include "shared/recipe/model.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

// How the closed choices of recipes are spelled: one table each for loader, canonical form and schema. Private to this
// folder.
namespace sallyport::recipe {

template <class Enum, std::size_t N>
struct Words {
  std::array<std::pair<std::string_view, Enum>, N> entries;

  constexpr std::string_view spell(Enum value) const {
    for (const auto& [word, meaning] : entries) {
      if (meaning == value) return word;
    }
    return {};
  }
  constexpr std::array<std::string_view, N> all() const {
    std::array<std::string_view, N> words{};
    for (std::size_t i = 0; i < N; ++i) words[i] = entries[i].first;
    return words;
  }
  constexpr Enum meaning(std::string_view word) const {  // of a word that is in the table
    for (const auto& [known, value] : entries) {
      if (known == word) return value;
    }
    return entries[0].second;
  }
};

inline constexpr Words<InputType, 7> kInputTypes{{{{"text", InputType::text},
                                                   {"integer", InputType::integer},
                                                   {"number", InputType::number},
                                                   {"boolean", InputType::boolean},
                                                   {"list", InputType::list},
                                                   {"map", InputType::map},
                                                   {"any", InputType::any}}}};
inline constexpr Words<OnConflict, 2> kOnConflict{{{{"queue", OnConflict::queue}, {"skip", OnConflict::skip}}}};
inline constexpr Words<Backoff, 2> kBackoff{{{{"exponential", Backoff::exponential}, {"fixed", Backoff::fixed}}}};
inline constexpr Words<OnItemFailure, 2> kOnItemFailure{
    {{{"fail", OnItemFailure::fail}, {"continue", OnItemFailure::go_on}}}};
inline constexpr Words<StopStatus, 3> kStopStatus{
    {{{"succeeded", StopStatus::succeeded}, {"failed", StopStatus::failed}, {"cancelled", StopStatus::cancelled}}}};
inline constexpr Words<OnFailure, 2> kOnFailure{{{{"fail", OnFailure::fail}, {"continue", OnFailure::go_on}}}};
inline constexpr Words<OnInDoubt, 4> kOnInDoubt{
    {{{"ask", OnInDoubt::ask}, {"retry", OnInDoubt::retry}, {"skip", OnInDoubt::skip}, {"stop", OnInDoubt::stop}}}};

inline constexpr std::string_view kKeepNothing = "none";  // retention

bool fits_input(InputType type, const Value& value);
constexpr std::string_view describe(InputType type) { return kInputTypes.spell(type); }

}  // namespace sallyport::recipe
