#pragma once

#include "shared/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// A distinguished name of a directory's entry (RFC 4514), in parts: what is compared and what is sent are made of the
// same parts, so that no other reading of its text by a server can lead elsewhere. Types are names (never numeric, by
// which a rule could be evaded), values are UTF-8 and never empty. At most 64 levels of at most 8 parts.
class Dn {
 public:
  struct Part {
    std::string type;   // "uid"
    std::string value;  // "ada"
    friend bool operator==(const Part&, const Part&) = default;
  };
  using Level = std::vector<Part>;

  // Errors: invalid, without any of the text.
  static Result<Dn> parse(std::string_view text);
  // The entry of this name directly below `parent`.
  static Result<Dn> below(Level name, const Dn& parent);

  const std::vector<Level>& levels() const { return levels_; }  // the entry's own first
  std::string text() const;                                     // escaped
  bool empty() const { return levels_.empty(); }
  Dn parent() const;  // of a name that is not empty

  // This name with its end spelled as `base` spells it, or nothing when it is neither `base` nor below it. Types and
  // the letters of ASCII in values compare without case, runs of spaces as one.
  std::optional<Dn> within(const Dn& base) const;

  friend bool operator==(const Dn&, const Dn&) = default;

 private:
  std::vector<Level> levels_;
};

// One level as text, escaped: "uid=ada", "cn=a\,b+ou=x".
std::string level_text(const Dn::Level& level);

// The name of an attribute (RFC 4512: a letter, then letters, digits, hyphens), without options; at most 128.
bool is_attribute_name(std::string_view name);

}  // namespace sallyport::policy
