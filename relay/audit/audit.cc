#include "relay/audit/audit.h"

#include "shared/base/json.h"
#include "shared/crypto/new_id.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxEventSize = 16u << 10;

std::string_view to_text(AuditOutcome outcome) {
  switch (outcome) {
    case AuditOutcome::done: return "done";
    case AuditOutcome::refused: return "refused";
    case AuditOutcome::failed: return "failed";
  }
  return "failed";
}

bool is_word(std::string_view text) {
  if (text.empty()) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
}

bool is_noun_verb(std::string_view action) {
  const std::size_t dot = action.find('.');
  return dot != std::string_view::npos && is_word(action.substr(0, dot)) && is_word(action.substr(dot + 1));
}

std::string to_event_json(const AuditRecord& record) {
  ValueMap event{{"action", record.action},
                 {"actor", record.actor},
                 {"outcome", to_text(record.outcome)},
                 {"target", record.target}};
  if (!record.detail.empty()) event.emplace("detail", redacted(Value(record.detail)));
  if (!record.request_id.empty()) event.emplace("request_id", record.request_id);
  return canonical_json(Value(std::move(event)));
}

}  // namespace

Audit::Stamp Audit::stamp_now() const { return {crypto::new_id<EventId>(clock_), clock_.wall()}; }

Result<store::AuditEntry> Audit::entry_of(const Stamp& stamp, const OrgId& ledger, const AuditRecord& record) {
  if (!is_noun_verb(record.action)) {
    return fail(Errc::invalid, "an audit action is noun.verb in lower case: " + record.action);
  }
  store::AuditEntry entry{ledger, {.id = stamp.id, .at = stamp.at, .json = to_event_json(record)}};
  if (entry.event.json.size() > kMaxEventSize) {
    return fail(Errc::invalid, "the audit event " + record.action + " is larger than 16 KiB");
  }
  return entry;
}

Result<std::vector<store::AuditEntry>> Audit::entries_of(WallTime at, const OrgId& ledger,
                                                         const std::vector<AuditRecord>& records) {
  std::vector<store::AuditEntry> entries;
  for (const auto& record : records) {
    const Stamp stamp{EventId(make_ulid(crypto::IdPrefix<EventId>::text, unix_ms(at), crypto::new_entropy())), at};
    SP_TRY(auto entry, entry_of(stamp, ledger, record));
    entries.push_back(std::move(entry));
  }
  return entries;
}

boost::asio::awaitable<Result<void>> Audit::record(OrgId ledger, AuditRecord record) {
  SP_CO_TRY(auto entry, entry_of(stamp_now(), ledger, record));
  auto appended = co_await log_.append(std::move(entry.ledger), std::move(entry.event));
  if (!appended) co_return in_context("audit event " + record.action, std::move(appended).error());
  co_return Result<void>();
}

}  // namespace sallyport
