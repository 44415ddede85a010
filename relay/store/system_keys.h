#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

// An agent's word for the public key that others seal to (shared/sealing/statement.h), as it said it.
struct SealingKey {
  AgentId agent;
  std::uint32_t generation = 0;
  Bytes statement;
  WallTime said_at{};
};

// An agent of a group, and its word, if it has given one.
struct PossibleRecipient {
  AgentId agent;
  std::string name;
  std::optional<SealingKey> key;
};

enum class CopyState { untold, held, unopenable };  // by its agent, of the present version

// One set of credentials that the agents of a group use: everything but the credentials.
struct SystemKey {
  OrgId org;
  std::string name;
  GroupId group;
  std::uint64_t version = 0;
  std::vector<std::string> values;  // their names
  UserId set_by;
  WallTime set_at{};
};

// The credentials, sealed to one agent, and that in the envelope: table "system_keys", column "copy",
// record = copy_record().
struct SystemKeyCopy {
  AgentId agent;
  std::uint32_t generation = 0;
  Bytes sealed_copy;
};
std::string copy_record(std::string_view name, std::uint64_t version, const AgentId& agent);

// How it stands with one agent of the key's group.
struct CopyHolder {
  AgentId agent;
  std::string name;
  std::optional<std::uint32_t> newest;  // generation of its sealing key; nothing: it has said none
  std::optional<std::uint32_t> sealed;  // to which generation; nothing: the key is not sealed to it
  CopyState state = CopyState::untold;
};

// What an agent is to hold.
struct AgentsKey {
  std::string name;
  GroupId group;
  std::uint64_t version = 0;
  SystemKeyCopy copy;
};

struct ToldCopy {
  std::string name;
  std::uint64_t version = 0;
  CopyState state = CopyState::untold;
};

class SystemKeys {
 public:
  virtual ~SystemKeys() = default;

  // Takes the place of what the agent said before. true: it is another one.
  virtual awaitable<Result<bool>> put_sealing_key(OrgId org, SealingKey key) = 0;
  virtual awaitable<Result<std::vector<PossibleRecipient>>> recipients(OrgId org, GroupId group) = 0;  // active ones

  virtual awaitable<Result<Page<SystemKey>>> list(OrgId org, PageQuery page) = 0;  // by name
  virtual awaitable<Result<SystemKey>> find(OrgId org, std::string name) = 0;
  virtual awaitable<Result<std::vector<CopyHolder>>> holders(OrgId org, std::string name) = 0;

  // The next version, in place of all that was there; of a new key any. conflict: not the version after the present
  // one, or the key is another group's. not_found: no such group. invalid: a copy for somebody who is no active agent
  // of the group. exhausted: as many keys as an organisation may have.
  virtual awaitable<Result<void>> put(OrgId org, SystemKey key, std::vector<SystemKeyCopy> copies,
                                      AuditNote<> note = {}) = 0;
  virtual awaitable<Result<SystemKey>> remove(OrgId org, std::string name, AuditNote<SystemKey> note = {}) = 0;

  // Of the group in which the agent is now; nothing for one that was revoked.
  virtual awaitable<Result<std::vector<AgentsKey>>> of_agent(OrgId org, AgentId agent) = 0;
  // What it says of a version that is not the present one is ignored.
  virtual awaitable<Result<void>> note_copies(OrgId org, AgentId agent, std::vector<ToldCopy> told) = 0;
};

}  // namespace sallyport::store
