#pragma once

#include "relay/store/audit_log.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sallyport::store {

struct AuditEntry {
  OrgId ledger;
  AuditEvent event;
};

// What a change writes into an audit ledger, in the very transaction that makes the change: both are stored or neither.
// Nothing in it (the default): a change of the relay's own, which no call asked for.
template <class... Came>
struct AuditNote {
  // Asked on the engine's thread with what the change came to, perhaps more than once. Its error undoes the change.
  std::function<Result<AuditEntry>(const Came&...)> entry;
  std::shared_ptr<bool> stored;  // may be null; set on the caller's executor once the entry is durable
  // Further entries of the same change, after the first; may be empty.
  std::function<Result<std::vector<AuditEntry>>(const Came&...)> more = {};
};

// The note of a change that gives nothing back, when what it tells is known before. Of one entry.
template <class T>
AuditNote<> about(T what, AuditNote<T> note) {
  if (!note.entry) return {};
  return {[what = std::move(what), entry = std::move(note.entry)] { return entry(what); }, std::move(note.stored)};
}

}  // namespace sallyport::store
