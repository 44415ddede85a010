#pragma once

#include "relay/domain/scopes.h"
#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "relay/store/users.h"
#include "shared/base/text.h"

#include <optional>

namespace sallyport::store {

struct ApiToken {
  ApiTokenId id;
  OrgId org;
  UserId user;
  std::string name;
  Bytes secret_hash;  // SHA-256 of the token's secret part, 32 bytes; the secret itself is nowhere
  domain::ScopeSet scopes;
  WallTime created_at;
  std::optional<WallTime> expires_at;
  std::optional<WallTime> revoked_at;
  std::optional<WallTime> last_used_at;
};

struct ApiTokenAndUser {
  ApiToken token;
  User user;
};

class ApiTokens {
 public:
  virtual ~ApiTokens() = default;
  virtual awaitable<Result<void>> add(OrgId org, ApiToken token,
                                      AuditNote<> note = {}) = 0;  // not_found: no such user in the organisation
  virtual awaitable<Result<ApiToken>> find(OrgId org, ApiTokenId id) = 0;
  virtual awaitable<Result<Page<ApiToken>>> list(OrgId org, PageQuery page) = 0;  // oldest first
  virtual awaitable<Result<void>> revoke(OrgId org, ApiTokenId id, WallTime now,
                                         AuditNote<> note = {}) = 0;                 // again: no change
  virtual awaitable<Result<void>> used(OrgId org, ApiTokenId id, WallTime now) = 0;  // kept to the minute

  // System-wide: the caller knows only the id. Also gives revoked and expired tokens: the caller judges, after it has
  // compared the hash in constant time.
  virtual awaitable<Result<ApiTokenAndUser>> find_for_authentication(ApiTokenId id) = 0;
};

}  // namespace sallyport::store
