#pragma once

#include "relay/store/key_witnesses.h"
#include "relay/store/sqlite/database.h"

#include <string>
#include <string_view>

namespace sallyport::store::sqlite {

inline std::string witness_query(std::string_view which) {
  return "select org, version, attached, kind, attached_at, missing_since, last_attached from key_witnesses " +
         std::string(which);
}

inline WitnessedKeys read_witness(Row row) {
  WitnessedKeys keys{.org = row.id<OrgId>(), .witness = {}};
  auto& [version, attached, last_attached] = keys.witness;
  version = row.u32();
  attached.version = row.u32();
  attached.kind = row.text();
  attached.attached_at = row.time();
  attached.missing_since = row.maybe_time();
  last_attached = row.u32();
  return keys;
}

}  // namespace sallyport::store::sqlite
