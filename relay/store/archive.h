#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/job_keys.h"
#include "relay/store/page.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::store {

struct ChangedPlace {
  std::string before;  // "": archived nowhere
  std::string now;
};

// A job that has ended and whose record is to be archived: written down with its end.
struct WaitingRecord {
  OrgId org;
  JobId job;
  std::uint32_t failures = 0;
};

// A record that is in the archive, and under which key.
struct ArchivedRecord {
  JobId job;
  std::string place;
  std::string object;       // its name there
  std::uint32_t hours = 0;  // of its lane
  Hour hour = 0;            // of its key
  std::uint64_t size = 0;
  WallTime archived_at;
};

// What is to be archived, and what is. The records themselves are elsewhere.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual awaitable<Result<std::string>> place(OrgId org) = 0;  // "": nowhere, and nothing waits from now on
  // not_found: no such organisation.
  virtual awaitable<Result<ChangedPlace>> set_place(OrgId org, std::string place, WallTime at,
                                                    AuditNote<ChangedPlace> note = {}) = 0;

  // Those whose turn has come, the longest waiting first. System-wide.
  virtual awaitable<Result<std::vector<WaitingRecord>>> due(WallTime now, std::size_t limit) = 0;
  virtual awaitable<Result<std::uint64_t>> count_waiting() = 0;  // system-wide
  virtual awaitable<Result<std::uint64_t>> count_waiting(OrgId org) = 0;
  virtual awaitable<Result<void>> put_off(OrgId org, JobId job, WallTime until) = 0;  // it failed once more
  // It does not wait any more, and is in the archive.
  virtual awaitable<Result<void>> settle(OrgId org, ArchivedRecord record) = 0;
  // It does not wait any more, and will not be in the archive.
  virtual awaitable<Result<void>> give_up(OrgId org, JobId job, AuditNote<> note = {}) = 0;

  virtual awaitable<Result<Page<ArchivedRecord>>> list(OrgId org, PageQuery page) = 0;  // newest job first
  virtual awaitable<Result<ArchivedRecord>> find(OrgId org, JobId job) = 0;
  // Records of a lane whose key's hour is before `before`, at most `limit`.
  virtual awaitable<Result<std::vector<ArchivedRecord>>> before(OrgId org, std::uint32_t hours, Hour before,
                                                                std::size_t limit) = 0;
  virtual awaitable<Result<void>> remove(OrgId org, JobId job) = 0;
};

}  // namespace sallyport::store
