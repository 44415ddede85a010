#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/ldap/session.h"
#include "agent/connectors/session_pool.h"
#include "agent/connectors/site.h"

#include <map>
#include <memory>

namespace sallyport::connectors::ldap {

using Pool = SessionPool<Session>;

// The pools of all connections of kind "ldap". Built once; outlives the actions.
class Directories {
 public:
  explicit Directories(const Site& site);
  Pool* find(std::string_view connection) const;

 private:
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
};
using SharedDirectories = std::shared_ptr<Directories>;

std::unique_ptr<Action> make_search(Site site, SharedDirectories directories);
std::unique_ptr<Action> make_add(Site site, SharedDirectories directories);
std::unique_ptr<Action> make_modify(Site site, SharedDirectories directories);
std::unique_ptr<Action> make_delete(Site site, SharedDirectories directories);
std::unique_ptr<Action> make_rename(Site site, SharedDirectories directories);

// What every step begins with: allowed at all, the pool of its connection, the policy's rule, its limits in time.
struct Target {
  std::string_view connection;
  const policy::LdapConnection* settings;
  const policy::LdapRule* rule;
  Pool* pool;
  CallLimits limits;
};
StepResult<Target> find_target(const Site& site, const Directories& directories, const StepContext& context,
                               std::string_view action);

// A name in the argument `name`, or without it the connection's base; below that base (class "policy"), and spelled
// as it.
StepResult<policy::Dn> dn_or_base(const Arguments& arguments, std::string_view name, const Target& target);
// The entry a step is about: `dn`, or `name` (a map) below `parent`. Allowed for `verb`.
StepResult<policy::Dn> entry_of(const Arguments& arguments, policy::LdapVerb verb, const Target& target);
// A map of attribute to value as a level of a name; each attribute allowed.
StepResult<policy::Dn::Level> level_of(const Value& map, const Target& target);

// Whether an attribute may be asked for or given: a name, with options such as `;binary`, that the policy allows.
StepResult<void> check_attribute(std::string_view name, const Target& target);
// A text, bytes, an integer, a boolean, or a list of these.
StepResult<std::vector<std::string>> values_of(const std::string& attribute, const Value& value);

}  // namespace sallyport::connectors::ldap
