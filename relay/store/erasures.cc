#include "relay/store/erasures.h"

#include <array>

namespace sallyport::store {

// In the order in which they go. What another table's rows are found by goes after them.
std::span<const PersonTrace> person_traces() {
  static constexpr auto kTraces = std::to_array<PersonTrace>({
      {"idempotency_keys",
       "org = ?1 and exists (select 1 from api_tokens t where t.org = ?1 and t.user = ?2 and "
       "idempotency_keys.key >= t.id || ':' and idempotency_keys.key < t.id || ';')",
       Fate::removed},
      {"api_tokens", "org = ?1 and user = ?2", Fate::removed},
      {"users", "org = ?1 and id = ?2", Fate::removed},
      {"tunnel_connections", "org = ?1 and user = ?2", Fate::blanked, "source"},
      {"audit_texts",
       "person = ?2 and (org = ?1 or (org = 'system' and exists (select 1 from erasures e where e.org = ?1 and "
       "e.person = ?2)))",  // nobody is erased there by another organisation
       Fate::removed},
      {"enrolment_tokens", "org = ?1 and created_by = ?2", Fate::named},
      {"recipe_versions", "org = ?1 and created_by = ?2", Fate::named},
      {"system_keys", "org = ?1 and set_by = ?2", Fate::named},
      {"tunnels", "org = ?1 and created_by = ?2", Fate::named},
      {"webhooks", "org = ?1 and created_by = ?2", Fate::named},
      {"erasures", "org = ?1 and person = ?2", Fate::named},
  });
  return kTraces;
}

std::span<const LeftTable> tables_left() {
  static constexpr auto kLeft = std::to_array<LeftTable>({
      {"audit_rows", "the ledger stays for as long as its class, without its texts"},
      {"audit_heads", "the ledger's end, by which it verifies"},
      {"erasures", "that it was erased, and the receipt"},
  });
  return kLeft;
}

}  // namespace sallyport::store
