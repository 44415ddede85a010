#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/job_keys.h"
#include "relay/store/page.h"

#include <cstdint>
#include <optional>
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

// An object that is in the archive, or on its way there, and under which key.
struct ArchivedRecord {
  JobId job;
  std::string place;
  std::string object;       // its name there
  std::uint32_t hours = 0;  // of its lane
  Hour hour = 0;            // of its key
  std::uint64_t size = 0;
  std::optional<WallTime> archived_at;  // none: it may be there
};

// What has ended of a lane at one place: objects whose key's hour is before `before`, also those that may be there.
struct EndedObjects {
  OrgId org;
  std::uint32_t hours = 0;
  Hour before = 0;
  std::string place;
  std::uint64_t count = 0;
};

// An object of an organisation that is no more.
struct ObjectToRemove {
  std::string place;
  std::string object;
};

// What is to be archived, and what is. The records themselves are elsewhere.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual awaitable<Result<std::string>> place(OrgId org) = 0;  // "": nowhere, and nothing waits from now on
  // not_found: no such organisation.
  virtual awaitable<Result<ChangedPlace>> set_place(OrgId org, std::string place, WallTime at,
                                                    AuditNote<ChangedPlace> note = {}) = 0;

  // Those whose turn has come, the longest waiting first, and those whose turn is after `latest`: a clock that was
  // ahead wrote it. System-wide.
  virtual awaitable<Result<std::vector<WaitingRecord>>> due(WallTime now, WallTime latest, std::size_t limit) = 0;
  virtual awaitable<Result<std::uint64_t>> count_waiting() = 0;  // system-wide
  virtual awaitable<Result<std::uint64_t>> count_waiting(OrgId org) = 0;
  virtual awaitable<Result<void>> put_off(OrgId org, JobId job, WallTime until) = 0;  // it failed once more
  // Before an object is put: the name to put it under, that of a try before this one when there was one at this place.
  // not_found: the organisation is erased, and nothing may be put.
  virtual awaitable<Result<std::string>> intend(OrgId org, ArchivedRecord record) = 0;
  // It does not wait any more, and is in the archive. not_found: its row went with the organisation.
  virtual awaitable<Result<void>> settle(OrgId org, ArchivedRecord record) = 0;
  // It does not wait any more, and will not be in the archive.
  virtual awaitable<Result<void>> give_up(OrgId org, JobId job, AuditNote<> note = {}) = 0;

  virtual awaitable<Result<Page<ArchivedRecord>>> list(OrgId org, PageQuery page) = 0;  // archived; newest job first
  virtual awaitable<Result<ArchivedRecord>> find(OrgId org, JobId job) = 0;             // archived
  virtual awaitable<Result<std::vector<EndedObjects>>> ended(OrgId org, std::uint32_t hours, Hour before) = 0;
  // The oldest first; at most `limit` after the first `skip`.
  virtual awaitable<Result<std::vector<ArchivedRecord>>> objects_of(EndedObjects ended, std::uint64_t skip,
                                                                    std::size_t limit) = 0;
  virtual awaitable<Result<void>> remove(OrgId org, JobId job, std::string place) = 0;

  // Objects of erased organisations, listed as the rows of their records go (Erasures::erase_some). System-wide.
  virtual awaitable<Result<std::vector<std::string>>> places_to_clear() = 0;
  // At one place; those that were tried least first.
  virtual awaitable<Result<std::vector<ObjectToRemove>>> to_remove(std::string place, std::size_t limit) = 0;
  virtual awaitable<Result<void>> not_removed(ObjectToRemove object) = 0;  // it was tried once more
  virtual awaitable<Result<void>> removed(ObjectToRemove object) = 0;
  virtual awaitable<Result<std::uint64_t>> count_to_remove() = 0;
};

}  // namespace sallyport::store
