#pragma once

#include "relay/app/settings.h"
#include "shared/base/clock.h"
#include "shared/base/secret.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::app {

struct InitOrder {
  DataDirectory data;
  Settings settings;
  std::string trust_domain;
  std::vector<std::string> server_names;  // besides the hosts of api_url and link_address
  std::string organisation;
  std::string owner_name;
  std::string owner_email;
};

// Whether the order can be carried out, as far as that can be known without touching anything.
Result<void> check(const InitOrder& order);

// Makes a relay out of nothing, or nothing at all: data directory (0700), master key, deployment root and server
// certificate, database, and one organisation with its first owner, who is the platform admin too. Gives the owner's
// API token, which also lies in the directory (first-owner.token, 0600) until whoever hands it over removes it: a
// process that dies in between loses nothing. Errc::conflict: the directory holds a relay already; nothing is touched.
Result<Secret> init(const InitOrder& order, const Clock& clock);

}  // namespace sallyport::app
