#pragma once

#include "shared/base/secret.h"
#include "shared/base/value.h"

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::api {

// A text of a JSON object that never reaches the parser, whose memory is not wiped. No IO.
class SecretMember {
 public:
  // Takes the text of the first `"name": "..."` out of `json`, and leaves marks in its place. Nothing: there is none,
  // or it cannot be told apart.
  static std::optional<SecretMember> take(std::string& json, std::string_view name);

  // Whether it was the object's own member, and the only one: so says the parser of what was left.
  bool is_member_of(const Value& object) const;
  // What the text was, unescaped (RFC 8259 §7). Nothing: it is no JSON.
  std::optional<Secret> text() const;

 private:
  SecretMember(std::string_view name, Secret raw) : name_(name), raw_(std::move(raw)) {}
  std::string name_;
  Secret raw_;  // as it stood between the quotes
};

}  // namespace sallyport::api
