#pragma once

#include <string_view>

namespace sallyport {

// How far a stored or logged field may go. What nobody has classified is secret.
enum class FieldClass {
  public_,    // may stand anywhere: ids, states, numbers, times
  sensitive,  // tells of people, places or what an organisation does: for its own users, its ledger and its logs
  secret,     // payloads, keys, tokens and every text that may repeat one: never stored in clear, never logged
};

constexpr std::string_view to_string(FieldClass is) {
  switch (is) {
    case FieldClass::public_: return "public";
    case FieldClass::sensitive: return "sensitive";
    case FieldClass::secret: return "secret";
  }
  return "secret";
}

}  // namespace sallyport
