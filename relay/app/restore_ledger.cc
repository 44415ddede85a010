#include "relay/app/restore_ledger.h"

#include "shared/base/json.h"

namespace sallyport::app {
namespace {

store::awaitable<Result<void>> tell(store::RestoreNote note, Audit& audit) {
  SP_CO_TRY(const auto detail, parse_json(note.detail));
  const bool of_all = note.org.value.empty();
  AuditRecord record{.actor = "system",
                     .action = "keys.restore",
                     .target = of_all ? "keys.db" : "organisation:" + note.org.value,
                     .detail = detail.as_map()};
  co_return co_await audit.record(of_all ? store::system_ledger() : std::move(note.org), std::move(record));
}

}  // namespace

store::awaitable<Result<void>> tell_of_restores(store::KeyStore& keys, Audit& audit, const Log& log) {
  SP_CO_TRY(const auto notes, co_await keys.restore_notes());
  for (const auto& note : notes) {
    auto told = co_await tell(note, audit);
    if (told) told = co_await keys.drop_restore_note(note.id);
    if (!told) log.error("keys.restore_not_told", {{"org", note.org.value}, {"reason", told.error().message}});
  }
  co_return Result<void>();
}

}  // namespace sallyport::app
