#include "relay/domain/release.h"

namespace sallyport::domain {

bool may_have_begun(ReleaseReason reason) {
  return reason == ReleaseReason::holder_lost || reason == ReleaseReason::agent_revoked ||
         reason == ReleaseReason::journal_lost;
}

std::string_view to_string(ReleaseReason reason) {
  switch (reason) {
    case ReleaseReason::holder_lost: return "holder_lost";
    case ReleaseReason::agent_revoked: return "agent_revoked";
    case ReleaseReason::journal_lost: return "journal_lost";
    case ReleaseReason::busy: return "busy";
    case ReleaseReason::link_lost: return "link_lost";
    case ReleaseReason::not_held: return "not_held";
    case ReleaseReason::not_sendable: return "not_sendable";
  }
  return "";
}

Result<ReleaseReason> parse_release_reason(std::string_view text) {
  for (ReleaseReason reason : kReleaseReasons) {
    if (text == to_string(reason)) return reason;
  }
  return fail(Errc::invalid, "unknown reason of a release");
}

std::string_view words_for(ReleaseReason reason) {
  switch (reason) {
    case ReleaseReason::holder_lost: return "the agent did not renew its lease";
    case ReleaseReason::agent_revoked: return "the agent was revoked";
    case ReleaseReason::journal_lost: return "the agent lost its journal";
    case ReleaseReason::busy: return "the agent is busy";
    case ReleaseReason::link_lost: return "the job could not be sent over the agent's link";
    case ReleaseReason::not_held: return "the agent does not hold it";
    case ReleaseReason::not_sendable: return "its dispatch could not be made";
  }
  return "";
}

}  // namespace sallyport::domain
