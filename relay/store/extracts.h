#pragma once

#include "relay/store/page.h"
#include "shared/base/ids.h"
#include "shared/base/value.h"

#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

// A table of an export, with the columns that it gives: those in clear, and of an organisation what is sealed. Keys,
// hashes and the relay's own bookkeeping are in none.
struct ExtractTable {
  std::string table;
  std::vector<std::string> columns;
  std::string where;  // SQL over ?1 the organisation and ?2 the person
};

// Made from the classified fields: a table or column that comes in is in it.
std::vector<ExtractTable> extract_of_organisation();
// By person_traces(): of their tables what is about people, and what is public.
std::vector<ExtractTable> extract_of_person();

struct Extracted {
  std::string table;
  ValueMap cells;  // by column; what is sealed as bytes
};

inline constexpr std::size_t kMostExtracted = 4u << 20;  // bytes on a page; the first row is given whatever its size

class Extracts {
 public:
  virtual ~Extracts() = default;
  // What there is of an organisation or one person of it, table by table in the order of their keys, in pages: what
  // comes in meanwhile may be missing, what is there is given once. invalid: a foreign cursor.
  virtual awaitable<Result<Page<Extracted>>> rows(OrgId org, std::optional<UserId> person, PageQuery page) = 0;
};

}  // namespace sallyport::store
