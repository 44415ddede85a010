#pragma once

#include "relay/store/job_keys.h"
#include "relay/store/key_store.h"
#include "relay/store/sqlite/sqlite_key_store.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sallyport::app {

// What a keys.db lacks of what relay.db needs.
struct KeyLosses {
  struct Hours {
    std::size_t keys = 0;
    std::int64_t jobs = 0;  // keys of jobs that are under them
    store::Hour first = 0, last = 0;

    void add(store::Hour hour, std::int64_t of_jobs);
  };
  struct Loss {
    std::string name;           // of the organisation
    std::uint32_t version = 0;  // of its key: the newest that was used is not there; 0: it is
    Hours hours = {};
    bool own_key = false;           // of its own that it has attached
    bool own_key_returned = false;  // no loss: one that stands in it and was detached since
  };
  std::map<OrgId, Loss> all = {};  // of OrgId(): the global key's
  std::vector<store::GivenUpHour> lost_hours = {};

  bool lacks_standing() const;
  Hours hours() const;
  bool none() const { return !lacks_standing() && hours().keys == 0; }
  std::vector<store::TenantKeyPlace> versions() const;
};

// Blocking, but for the keys. `opens`: whether an anchor opens the keys of hours; when none does, all are lost.
// unavailable: relay.db cannot be read.
store::awaitable<Result<KeyLosses>> find_losses(store::KeyStore& keys, std::filesystem::path relay_database,
                                                bool opens);

// For the operator; a sentence in a line each. Nothing is lost: nothing.
std::string text_of(const KeyLosses& losses);

// For the ledgers of the deployment and of each organisation that something is told of.
std::vector<store::RestoreNote> notes_of(const KeyLosses& losses, const std::filesystem::path& backup);

}  // namespace sallyport::app
