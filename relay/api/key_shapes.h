#pragma once

#include "relay/api/call.h"
#include "relay/api/services.h"
#include "relay/keys/custodian.h"

// What answers tell of keys: facts, and no key.
namespace sallyport::api {

Value state_shape(const std::optional<std::string>& unavailable);  // of the newest key: why it cannot be had
Value versions_shape(const std::vector<keys::VersionFacts>& versions);
// The keys of the caller's organisation as they are now, with the one that it has attached: where that is, and why it
// cannot be used, is told to owners.
boost::asio::awaitable<Result<Answer>> show_keys(Services& services, Caller caller);

}  // namespace sallyport::api
