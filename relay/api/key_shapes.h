#pragma once

#include "relay/api/call.h"
#include "relay/api/services.h"
#include "relay/keys/custodian.h"

// What answers tell of keys: facts, and no key.
namespace sallyport::api {

Value versions_shape(const std::vector<keys::VersionFacts>& versions);
// The keys of an organisation as they are now, with the one that it has attached.
boost::asio::awaitable<Result<Answer>> show_keys(Services& services, OrgId org);

}  // namespace sallyport::api
