#pragma once

#include "relay/store/page.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::store {

// Columns whose sealed fields belong to no job and live until they are removed: all that relay/domain/fields.cc calls
// sealed and standing.
struct StandingColumn {
  enum class Whose { organisation, deployment };  // of the deployment's: the organisation is system_ledger()
  std::string_view table;
  std::string_view column;
  Whose whose = Whose::organisation;
  std::string_view first;            // the row's key within the organisation: one column
  std::string_view second = {};      // or two
  std::string_view version_in = {};  // the table that tells the version of what has the row's `first` as its name
  // The `record` part of the field's identity, of the row's key and version.
  std::string (*record)(std::string_view first, std::string_view second, std::uint64_t version) = nullptr;
};
std::span<const StandingColumn> standing_columns();

// Where a field stands in the order of all of an organisation.
struct StandingPlace {
  std::size_t column = 0;  // of standing_columns()
  std::string first = {};
  std::string second = {};
};

struct StandingRecord {
  StandingPlace at;
  std::string record;  // of its identity
  Bytes sealed;
};
struct ResealedRecord {
  StandingRecord before;
  Bytes sealed;
};

// What is sealed under keys that have versions, so that it can be sealed under newer ones. How a sealed field begins
// (`head`) tells which they are.
class StandingRecords {
 public:
  virtual ~StandingRecords() = default;
  // Those behind `after` that begin otherwise, in order; at most `limit`.
  virtual awaitable<Result<std::vector<StandingRecord>>> not_under(OrgId org, Bytes head, StandingPlace after,
                                                                   std::size_t limit) = 0;
  virtual awaitable<Result<std::uint64_t>> count_not_under(OrgId org, Bytes head, std::size_t most) = 0;
  // In one transaction. Whoever has written a field since it was read keeps the word; how many were as they were read.
  virtual awaitable<Result<std::size_t>> reseal(OrgId org, std::vector<ResealedRecord> records) = 0;
};

}  // namespace sallyport::store
