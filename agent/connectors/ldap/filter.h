#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::ldap {

// A search filter (RFC 4515) with `:name` where a value, or a part of one, comes from the step's parameters:
// "(&(objectClass=person)(uid=:uid))". It is read once and written anew, every byte of a value escaped that is no plain
// letter or digit: no value can end a condition or begin another one, whatever a server makes of it. A literal colon
// before a letter is written \3a. Conditions on no attribute in particular, and on numeric ones, are refused.
class Filter {
 public:
  // Class "invalid", with the place. At most 16 KiB, 32 levels deep.
  static StepResult<Filter> parse(std::string_view text);

  const std::vector<std::string>& attributes() const { return attributes_; }  // that it asks about, without options
  // With the parameters put in: texts, bytes, numbers, booleans. Class "invalid" by name for a missing one, one of
  // another type and an empty text, which would make another condition of (cn=:name*).
  StepResult<std::string> fill(const Value& parameters) const;

 private:
  friend class FilterReader;
  struct Piece {
    enum class Kind { text, parameter } kind;
    std::string text;
  };
  std::vector<Piece> pieces_;
  std::vector<std::string> attributes_;
};

}  // namespace sallyport::connectors::ldap
