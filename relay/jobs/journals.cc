#include "relay/jobs/journals.h"

namespace sallyport::jobs {
namespace {

std::string_view word_for(JournalStanding standing) {
  return standing == JournalStanding::another ? "another_journal" : "earlier_state";
}

}  // namespace

JournalStanding compare(const std::optional<store::JournalMark>& known, const store::JournalMark& told) {
  if (!known) return JournalStanding::first;
  if (known->id != told.id) return JournalStanding::another;
  return told.seq < known->seq ? JournalStanding::earlier : JournalStanding::same;
}

store::AuditNote<> Journals::note_of_loss(const LinkedAgent& who, const store::JournalMark& known,
                                          const store::JournalMark& told) const {
  const auto name = "agent:" + who.agent.value;
  AuditRecord record{.actor = name,
                     .action = "journal.lost",
                     .target = name,
                     .outcome = AuditOutcome::done,
                     .detail = {},
                     .request_id = ""};
  record.detail.emplace("found", word_for(compare(known, told)));
  record.detail.emplace("reported_seq", static_cast<std::int64_t>(known.seq));
  record.detail.emplace("journal_seq", static_cast<std::int64_t>(told.seq));
  return parts_.audit.note(who.org, std::move(record));
}

store::awaitable<Result<void>> Journals::meet(AgentLink& link, store::JournalMark told) {
  if (told.id == 0) co_return Result<void>();
  const LinkedAgent who = link.who();
  SP_CO_TRY(const auto known, co_await parts_.agents.journal(who.org, who.agent));
  const auto standing = compare(known, told);
  if (standing == JournalStanding::same) co_return Result<void>();
  store::AuditNote<> note;
  if (standing != JournalStanding::first) {
    parts_.log.warn("journal.lost", {{"org", who.org.value},
                                     {"agent", who.agent.value},
                                     {"found", word_for(standing)},
                                     {"reported_seq", known->seq},
                                     {"journal_seq", told.seq}});
    SP_CO_CHECK(co_await parts_.dispatcher.journal_lost(link));
    note = note_of_loss(who, *known, told);
  }
  co_return co_await parts_.agents.change_journal(who.org, who.agent, {known, told}, std::move(note));
}

}  // namespace sallyport::jobs
