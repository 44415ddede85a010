#pragma once

#include "relay/audit/audit.h"
#include "relay/jobs/dispatcher.h"
#include "relay/store/agents.h"

namespace sallyport::jobs {

// What an agent's journal is to the one that its relay knows (docs/decisions/0010).
enum class JournalStanding {
  first,    // none is known yet
  same,     // it knows everything that it ever reported
  another,  // it knows nothing of what was before
  earlier,  // a state of itself from before reports that the relay has
};

JournalStanding compare(const std::optional<store::JournalMark>& known, const store::JournalMark& told);

// Notices that an agent came back without its journal, or with an older copy of it, and takes away what it believed to
// hold: no job stays with an agent that does not know of it, and none goes on from a past that is not its own. Lives on
// the relay's loop; the parts outlive it.
class Journals {
 public:
  struct Parts {
    store::Agents& agents;
    Dispatcher& dispatcher;
    Audit& audit;
    const Log& log;
  };
  explicit Journals(Parts parts) : parts_(parts) {}

  // With the first Holding of a link, before it is answered and before anything else of the link is acted upon. The
  // jobs come first and what is known of the journal last: a relay that dies in between finds the same again. An
  // error: the store did not take all of it; the link must end, for what it brings could hide the loss.
  store::awaitable<Result<void>> meet(AgentLink& link, store::JournalMark told);

 private:
  store::AuditNote<> note_of_loss(const LinkedAgent& who, const store::JournalMark& known,
                                  const store::JournalMark& told) const;
  Parts parts_;
};

}  // namespace sallyport::jobs
