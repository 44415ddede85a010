#pragma once

#include "agent/connectors/call_limits.h"
#include "agent/connectors/step_error.h"
#include "agent/platform/fd.h"
#include "agent/policy/connections.h"
#include "agent/vault/vault.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ldap;
struct ldapmsg;

namespace sallyport::connectors::ldap {

struct FreeLdap {
  void operator()(::ldap* connection) const;
};
struct FreeMessage {
  void operator()(::ldapmsg* message) const;
};
using LdapOwner = std::unique_ptr<::ldap, FreeLdap>;
using MessageOwner = std::unique_ptr<::ldapmsg, FreeMessage>;

enum class Scope { base = 0, one = 1, subtree = 2 };  // as the protocol numbers them

struct SearchRequest {
  std::string base;
  Scope scope = Scope::subtree;
  std::string filter;
  std::vector<std::string> attributes;
  int page_size = 0;  // 0: all at once
};

// An entry of a result; what it points to lives until the call it was given to returns.
struct Entry {
  struct Attribute {
    std::string_view name;  // as the server wrote it, with options
    std::vector<std::string_view> values;
  };
  std::string_view dn;
  std::vector<Attribute> attributes;
};
using EntrySink = std::function<StepResult<void>(const Entry&)>;

// The order of a change's parts, as the protocol numbers their kinds.
enum class Change { add = 0, remove = 1, replace = 2, increment = 3 };
struct Modification {
  Change change;
  std::string attribute;
  std::vector<std::string> values;  // none: the whole attribute
};

// What became of a request that was sent.
struct Answer {
  StepResult<void> result;
  bool answered;  // false: nobody knows whether the server has done it
};

// One LDAPv3 connection, logged in; used by one thread at a time. Requests are asynchronous, answers are waited for in
// short slices, so that a deadline and a stop end every call; a session that was left in the middle is broken. Nothing
// of ldap.conf or the environment counts, referrals are not followed, aliases not resolved, and no message over 8 MiB
// is taken.
class Session {
 public:
  // Class "connection" when it cannot be reached, also in time, or shows a certificate that is not good for `host`;
  // "permission" when it refuses the login. The text is for the agent's log.
  static StepResult<std::unique_ptr<Session>> open(const policy::LdapConnection& settings, const vault::Vault& vault,
                                                   const CallLimits& limits);

  // Gives the entries one by one, page by page; how many parts of the result lie on other servers, and are left out. An
  // error of `sink` ends it. May be called from within `sink`.
  StepResult<std::int64_t> search(const SearchRequest& request, const EntrySink& sink, const CallLimits& limits);

  Answer add(const std::string& dn, const std::vector<Modification>& attributes, const CallLimits& limits);
  Answer modify(const std::string& dn, const std::vector<Modification>& changes, const CallLimits& limits);
  Answer remove(const std::string& dn, const CallLimits& limits);
  enum class OldName { dropped, kept };
  Answer rename(const std::string& dn, const std::string& new_name, const std::string& new_parent, OldName old_name,
                const CallLimits& limits);

  bool is_usable() const;  // false: do not put it back into the pool

 private:
  friend class Opening;
  Session(LdapOwner connection, platform::Fd socket) : connection_(std::move(connection)), socket_(std::move(socket)) {}

  struct Ended {
    int code = 0;
    std::string cookie;  // of the next page; empty: there is none
  };
  StepResult<Ended> take_page(int id, const EntrySink& sink, std::int64_t& references, const CallLimits& limits);
  StepResult<void> give(::ldapmsg* message, const EntrySink& sink);
  StepResult<MessageOwner> next(int id, const CallLimits& limits);
  StepResult<Ended> read_end(::ldapmsg* message);
  Answer answer_to(int sent, int id, std::string_view doing, const CallLimits& limits);
  StepError broken(std::string_view doing);

  LdapOwner connection_;
  platform::Fd socket_;  // the same connection, looked after here: libldap may close its own at any time
  bool broken_ = false;
};

}  // namespace sallyport::connectors::ldap
