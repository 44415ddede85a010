#pragma once

#include "shared/base/field_class.h"

#include <span>
#include <string_view>

// Every column of relay.db and keys.db: how far it may go, whom it tells of, how it is kept and how long. One table
// (fields.cc); a column that is not in it counts as secret, and the tests of the store fail for it.
namespace sallyport::domain {

enum class About {
  organisation,
  person,
  agent,
  recipe,
  job,          // that it ran, when and how it ended
  job_payload,  // what it worked on
  tunnel,
  key_material,
  operational,  // the relay's own bookkeeping
};

enum class Kept {
  clear,
  sealed,   // by the envelope of relay/keys
  wrapped,  // a key, encrypted under the key above it
  hashed,   // SHA-256 alone
};

// How long, from what moment on.
enum class Retention {
  standing,     // until it is removed
  payload,      // from the job's end
  logs,         // from the job's end
  server_logs,  // from when it was written
  audit,        // from when it was written
  archive,      // from the job's end
  transient,    // a day at most, or as long as what it counts
};

struct Field {
  std::string_view table;
  std::string_view column;
  FieldClass is;
  About about;
  Kept kept;
  Retention retention;
  std::string_view record = {};  // of what is sealed: table and column of its RecordIdentity, "jobs.trigger"
};

std::string_view to_string(About about);
std::string_view to_string(Kept kept);
std::string_view to_string(Retention retention);

// In the order of tables and their columns.
std::span<const Field> fields();

// nullptr: nobody has classified it. It counts as secret.
const Field* find_field(std::string_view table, std::string_view column);
FieldClass class_of(std::string_view table, std::string_view column);

// The field whose envelopes name this table and column; nullptr: there is none.
const Field* find_sealed(std::string_view record_table, std::string_view record_column);

}  // namespace sallyport::domain
