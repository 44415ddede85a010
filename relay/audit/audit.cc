#include "relay/audit/audit.h"

#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "shared/crypto/random.h"

#include <algorithm>
#include <array>
#include <iterator>

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

// Members of a detail that are words of this program, or ids: they stay as long as the row. Whatever is not here, and
// no number or truth, may be somebody's text and lies apart.
constexpr auto kOwnWords = std::to_array<std::string_view>(
    {"agent",      "audit",  "because",     "erasure",    "error",      "for_user", "found",
     "from_group", "hash",   "last_at",     "logs",       "old_serial", "payload",  "recipe",
     "role",       "serial", "server_logs", "session_of", "to_group",   "user"});
// Those of them that tell of who called.
constexpr auto kPersonal = std::to_array<std::string_view>({"address", "from"});

bool stays(const Value& name, const Value& value) {
  return value.is(Value::Kind::boolean) || value.is(Value::Kind::int64) || value.is(Value::Kind::uint64) ||
         value.is_null() || std::ranges::find(kOwnWords, name.as_string()) != kOwnWords.end();
}

UserId caller_of(const AuditRecord& record) {
  const auto user = record.detail.find(Value("user"));
  return user == record.detail.end() ? UserId() : UserId(user->second.as_string());
}

std::vector<store::AuditText> texts_of(const AuditRecord& record) {
  std::vector<store::AuditText> texts;
  for (const auto& [name, value] : record.detail) {
    if (stays(name, value)) continue;
    const bool personal = std::ranges::find(kPersonal, name.as_string()) != kPersonal.end();
    store::AuditText text{.member = name.as_string(),
                          .person = personal ? caller_of(record) : UserId(),
                          .salt = Bytes(32),
                          .json = canonical_json(redacted(value))};
    crypto::fill_random(text.salt);
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string to_event_json(const AuditRecord& record, const std::vector<store::AuditText>& texts) {
  ValueMap event{{"action", record.action},
                 {"actor", record.actor},
                 {"outcome", to_text(record.outcome)},
                 {"target", record.target}};
  ValueMap detail, apart;
  std::ranges::copy_if(record.detail, std::inserter(detail, detail.end()),
                       [](const auto& member) { return stays(member.first, member.second); });
  for (const auto& text : texts) apart.emplace(text.member, store::commitment_of(text));
  if (!detail.empty()) event.emplace("detail", redacted(Value(std::move(detail))));
  if (!apart.empty()) event.emplace("apart", Value(std::move(apart)));
  if (!record.request_id.empty()) event.emplace("request_id", record.request_id);
  return canonical_json(Value(std::move(event)));
}

std::size_t size_of(const store::AuditEvent& event) {
  std::size_t size = event.json.size();
  for (const auto& text : event.texts) size += text.json.size();
  return size;
}

}  // namespace

Audit::Stamp Audit::stamp_now() const { return {crypto::new_id<EventId>(clock_), clock_.wall()}; }

Result<store::AuditEntry> Audit::entry_of(const Stamp& stamp, const OrgId& ledger, const AuditRecord& record) {
  if (!is_noun_verb(record.action)) {
    return fail(Errc::invalid, "an audit action is noun.verb in lower case: " + record.action);
  }
  store::AuditEntry entry{ledger, {.id = stamp.id, .at = stamp.at, .json = {}, .texts = texts_of(record)}};
  entry.event.json = to_event_json(record, entry.event.texts);
  if (size_of(entry.event) > kMaxEventSize) {
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
