#pragma once

#include "agent/connectors/ldap/session.h"
#include "shared/base/value.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::ldap {

// What becomes of the attributes of entries: a column each, after `dn`.
struct Columns {
  std::vector<std::string> attributes;        // as the recipe names them
  std::set<std::string, std::less<>> single;  // folded: one value instead of a list
  std::set<std::string, std::less<>> binary;  // folded: bytes, besides those that always are
};

// The name of an attribute for comparison: lower case, without `;binary` and `;range=`.
std::string folded_name(std::string_view name);

// Where the next part of an attribute begins of which a server gave only values A to B ("member;range=0-1499": 1500);
// nothing when these were all.
std::optional<std::uint64_t> next_of_range(std::string_view name);

// One entry on its way to a row. Values are texts when they are UTF-8 and their attribute is not known to be binary,
// else bytes.
class EntryRow {
 public:
  explicit EntryRow(const Columns& columns) : columns_(columns) {}

  // What columns there are for; class "too_large" when the row is larger than any may be.
  StepResult<void> take(const Entry::Attribute& attribute);
  // Lists; or for columns of one value that, or null. Class "format" when there are more values.
  StepResult<ValueList> finish(std::string_view dn);

 private:
  const Columns& columns_;
  std::map<std::string, ValueList, std::less<>> values_;  // by folded name
  std::uint64_t bytes_ = 0;
};

}  // namespace sallyport::connectors::ldap
