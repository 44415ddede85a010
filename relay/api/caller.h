#pragma once

#include "relay/domain/scopes.h"
#include "shared/base/ids.h"

#include <string>

namespace sallyport::api {

// Who is calling, as authentication established it.
struct Caller {
  OrgId org;
  UserId user;
  ApiTokenId token;
  domain::Role role = domain::Role::viewer;
  domain::PlatformRights platform = domain::PlatformRights::none;
  domain::ScopeSet scopes;  // of the token, cut down to what role and platform rights allow

  std::string actor() const { return "token:" + token.value; }  // as the audit ledger and the access log name it
};

}  // namespace sallyport::api
