#pragma once

#include "relay/api/call.h"
#include "relay/api/services.h"

#include <functional>
#include <string>
#include <type_traits>

namespace sallyport::api {

// What a handler adds to the audit entry of its call.
struct Said {
  std::string target = {};  // "agent:agt_..."; "" keeps the one that the path names
  ValueMap detail = {};     // small; no payload, no secret
};

// The note of a call, for the change that the call is about. A call that changes something hands over exactly one.
// `late` says what is known only once the change is made; it captures by value, and runs on the store's thread.
template <class... Came>
store::AuditNote<Came...> note_of(const Services& services, const Call& call, Said said = {},
                                  std::type_identity_t<std::function<Said(const Came&...)>> late = {}) {
  const auto say = [](AuditRecord& record, Said words) {
    if (!words.target.empty()) record.target = std::move(words.target);
    for (auto& [name, value] : words.detail) record.detail.insert_or_assign(name, value);
  };
  AuditRecord record = call.ticket.record;
  say(record, std::move(said));
  Audit::Complete<Came...> complete;
  if (late) {
    complete = [say, late = std::move(late)](AuditRecord& full, const Came&... came) { say(full, late(came...)); };
  }
  auto note = services.audit.note<Came...>(call.ticket.ledger, std::move(record), std::move(complete));
  note.stored = call.ticket.stored;
  return note;
}

// The row of a call when no change of the store could take it along: it found everything as it wants it, or changes
// something else (then the row comes first, so that nothing is changed that the ledger does not have).
inline boost::asio::awaitable<Result<void>> record_apart(Services& services, const Call& call) {
  SP_CO_CHECK(co_await services.audit.record(call.ticket.ledger, call.ticket.record));
  *call.ticket.stored = true;
  co_return Result<void>{};
}

// What its row says to be done could not be done after all: the ledger hears of that in a row of its own.
inline std::unexpected<Error> not_after_all(const Call& call, Error why) {
  *call.ticket.stored = false;
  return std::unexpected(std::move(why));
}

}  // namespace sallyport::api
