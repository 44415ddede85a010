#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

enum class AgentStatus { active, revoked };

struct Agent {
  AgentId id;
  OrgId org;
  GroupId group;
  std::string name;
  std::string hostname;  // what the agent says; proves nothing
  std::string software;  // "sallyport-agent/0.1.0"
  AgentStatus status = AgentStatus::active;
  std::uint32_t generation = 1;  // newest certificate generation that has been used on a link
  WallTime enrolled_at;
  std::optional<WallTime> last_seen_at;
  // Of the certificate with that generation; read only. Nothing: it has none on file.
  std::optional<WallTime> certificate_expires_at = {};
};

struct AgentFilter {
  std::optional<GroupId> group;
  std::optional<AgentStatus> status;
};

// What people can change of an agent.
struct AgentState {
  std::string name;
  GroupId group;
  AgentStatus status = AgentStatus::active;

  friend bool operator==(const AgentState&, const AgentState&) = default;
};
inline AgentState state_of(const Agent& agent) { return {agent.name, agent.group, agent.status}; }

// Compare-and-set, when a state is expected.
struct AgentRename {
  std::string name;
  std::optional<AgentState> only_if = {};
};

// Compare-and-set of an agent's group, or of all its state when one is expected.
struct AgentMove {
  GroupId expected;
  GroupId wanted;
  std::optional<AgentState> only_if = {};
};

// How far an agent's journal has come, as its relay knows it (docs/decisions/0010). Both fit into 63 bits.
struct JournalMark {
  std::uint64_t id = 0;   // 0: an agent that does not tell
  std::uint64_t seq = 0;  // the highest Report.seq that came from it
  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};

// Compare-and-set of the journal that an agent is known by; nothing expected = none was known yet.
struct JournalChange {
  std::optional<JournalMark> expected;
  JournalMark wanted;
};

struct AgentSighting {
  std::string hostname;
  std::string software;
  WallTime at;
};

// Agents come into being by EnrolmentTokens::redeem.
class Agents {
 public:
  virtual ~Agents() = default;
  virtual awaitable<Result<void>> add(OrgId org, Agent agent) = 0;  // without an enrolment token: approval by an owner
  virtual awaitable<Result<Agent>> find(OrgId org, AgentId id) = 0;
  virtual awaitable<Result<Page<Agent>>> list(OrgId org, AgentFilter filter, PageQuery page) = 0;  // oldest first
  // conflict: it is not in the state that the caller expected.
  virtual awaitable<Result<void>> rename(OrgId org, AgentId id, AgentRename change, AuditNote<> note = {}) = 0;
  // Its jobs and the triggers it watches stay where they are: those are the dispatcher's and the assigner's business.
  // not_found: no such agent or group. conflict: it is in another group or state than the caller expected, or revoked.
  virtual awaitable<Result<Agent>> move(OrgId org, AgentId id, AgentMove move, AuditNote<Agent> note = {}) = 0;
  virtual awaitable<Result<void>> seen(OrgId org, AgentId id, AgentSighting sighting) = 0;
  virtual awaitable<Result<std::optional<JournalMark>>> journal(OrgId org, AgentId id) = 0;
  // conflict: another one than the caller expected is known, or it has come further.
  virtual awaitable<Result<void>> change_journal(OrgId org, AgentId id, JournalChange change,
                                                 AuditNote<> note = {}) = 0;
  // Raises the seq of the journal that is known, never lowers it. Of another journal, or an unknown agent: no change.
  virtual awaitable<Result<void>> raise_journal(OrgId org, AgentId id, JournalMark mark) = 0;
  // A link presents a certificate of this generation. Raises the agent's generation, never lowers it.
  // conflict: a newer one has been used already, so this is an old copy of the identity. forbidden: revoked.
  virtual awaitable<Result<Agent>> confirm_generation(OrgId org, AgentId id, std::uint32_t generation) = 0;
  // Also revokes every certificate of the agent, in the same transaction. Again: no change.
  virtual awaitable<Result<void>> revoke(OrgId org, AgentId id, WallTime now, AuditNote<> note = {}) = 0;
};

}  // namespace sallyport::store
