#include "relay/domain/inventory.h"

#include "relay/domain/fields.h"
#include "shared/base/log_fields.h"

#include <fmt/format.h>

namespace sallyport::domain {
namespace {

constexpr std::string_view kHead = R"(# What the relay stores
Made from the tables in `relay/domain/fields.cc` and `shared/base/log_fields.h`; a test fails when it is not what they say, or when the
database or a line of the log has a field that they do not know.

| class | what it is | where it may be |
|---|---|---|
| public | ids, states, numbers, times | anywhere |
| sensitive | tells of people, places, or what an organisation does | shown to the organisation's own users, in its audit ledger and in the relay's log |
| secret | payloads, keys, tokens, and every text that may repeat one | sealed, wrapped or hashed in the databases, never in a log; what nobody has classified is secret |

*Sealed*: AES-256-GCM under a key of the record's own, bound to organisation, table, column and row. *Wrapped*: a key, encrypted under the one above it. *Hashed*: SHA-256 of a value that is not kept.

| retention | until |
|---|---|
| standing | it is removed |
| payload, logs | the job's end and the time that is set for this class |
| server logs, audit | it was written and the time that is set for this class |
| transient | a day later at most, or until what it counts is gone |
)";

std::string table_of(std::string_view table) {
  std::string text =
      fmt::format("\n### {}\n| column | class | about | kept | retention |\n|---|---|---|---|---|\n", table);
  for (const auto& field : fields()) {
    if (field.table != table) continue;
    text += fmt::format("| {} | {} | {} | {} | {} |\n", field.column, to_string(field.is), to_string(field.about),
                        to_string(field.kept), to_string(field.retention));
  }
  return text;
}

std::string log_table() {
  std::string text = "\n## What lines of the log may have\n| field | class | what it is |\n|---|---|---|\n";
  for (const auto& field : kLogFields)
    text += fmt::format("| {} | {} | {} |\n", field.name, to_string(field.is), field.what);
  return text;
}

}  // namespace

std::string data_inventory() {
  std::string text = std::string(kHead) +
                     "\n## The databases\nTables from `global_keys` on are in `keys.db`, all others in `relay.db`.\n";
  std::string_view last;
  for (const auto& field : fields()) {
    if (field.table == last) continue;
    last = field.table;
    text += table_of(last);
  }
  return text + log_table();
}

}  // namespace sallyport::domain
