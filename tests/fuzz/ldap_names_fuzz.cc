// Names of entries, filters and names of attributes, from recipes and from directories: no crash, what is read is
// written so that it reads the same again, and no value ends its condition.
#include "agent/connectors/ldap/entry_row.h"
#include "agent/connectors/ldap/filter.h"
#include "agent/policy/dn.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
namespace directory = sallyport::connectors::ldap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto dn = policy::Dn::parse(text)) {
    const auto again = policy::Dn::parse(dn->text());
    if (!dn->text().empty() && dn->text().size() <= 8192 && (!again || *again != *dn)) std::abort();
    if (!dn->within(*dn)) std::abort();
  }
  if (const auto filter = directory::Filter::parse(text)) {
    const auto whole = filter->fill(Value(ValueMap{}));
    if (whole && whole->size() <= 16u << 10 && !directory::Filter::parse(*whole)) std::abort();
  }
  if (const auto fixed = directory::Filter::parse("(a=:p)"); size > 0) {
    const auto whole = fixed->fill(Value(ValueMap{{Value("p"), Value(text)}}));
    if (!whole || std::ranges::count(*whole, ')') != 1 || std::ranges::count(*whole, '*') != 0) std::abort();
  }
  (void)directory::next_of_range(text);
  (void)directory::folded_name(text);
  return 0;
}
