#pragma once

#include "shared/base/result.h"

#include <array>
#include <string_view>

namespace sallyport::domain {

// Why a job was taken back from the agent that held it.
enum class ReleaseReason {
  holder_lost,    // it did not renew its lease
  agent_revoked,  //
  journal_lost,   // it does not know any more what it did (docs/decisions/0010)
  busy,           // it refused the job for now
  link_lost,      // its link ended before the job could be sent, or had no room
  not_held,       // its journal, which is durable, does not have the job: the dispatch was lost
  not_sendable,   // the dispatch could not be put together for a while
};

inline constexpr std::array kReleaseReasons = {
    ReleaseReason::holder_lost, ReleaseReason::agent_revoked, ReleaseReason::journal_lost, ReleaseReason::busy,
    ReleaseReason::link_lost,   ReleaseReason::not_held,      ReleaseReason::not_sendable};

// Steps may have begun: it counts as a run (kMaxRuns), and what has no result is in doubt at the next holder.
bool may_have_begun(ReleaseReason reason);

std::string_view to_string(ReleaseReason reason);
Result<ReleaseReason> parse_release_reason(std::string_view text);
std::string_view words_for(ReleaseReason reason);  // for people: "the agent did not renew its lease"

}  // namespace sallyport::domain
