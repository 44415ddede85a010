#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/sqlite/engine.h"

namespace sallyport::store::sqlite {

Result<AuditRow> append_audit_row(Database& db, const OrgId& ledger, const AuditEvent& event);

template <class... Came>
Result<void> append_note(Database& db, const AuditNote<Came...>& note, const Came&... came) {
  SP_TRY(const AuditEntry first, note.entry(came...));
  SP_CHECK(append_audit_row(db, first.ledger, first.event));
  if (!note.more) return {};
  SP_TRY(const auto further, note.more(came...));
  for (const auto& entry : further) SP_CHECK(append_audit_row(db, entry.ledger, entry.event));
  return {};
}

// Engine::write() of a change together with its note.
template <class F, class... Came>
boost::asio::awaitable<std::invoke_result_t<const F&, Database&>> write_noted(Engine& engine, F work,
                                                                              AuditNote<Came...> note) {
  using Outcome = std::invoke_result_t<const F&, Database&>;
  if (!note.entry) co_return co_await engine.write(std::move(work));
  auto stored = std::move(note.stored);
  auto outcome = co_await engine.write([work = std::move(work), note = std::move(note)](Database& db) -> Outcome {
    Outcome came = work(db);
    if (!came) return came;
    if constexpr (sizeof...(Came) == 0) {
      SP_CHECK(append_note(db, note));
    } else {
      SP_CHECK(append_note(db, note, *came));
    }
    return came;
  });
  if (outcome && stored) *stored = true;
  co_return outcome;
}

}  // namespace sallyport::store::sqlite
