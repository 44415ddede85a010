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

// Gives the owner's token away; it is kept nowhere else. Called once, when everything but the last file is there.
using HandOver = std::function<Result<void>(const Secret& token)>;

// Makes a relay out of nothing: data directory (0700), master key, deployment root and server certificate, database,
// and one organisation with its first owner, who is the platform admin too. relay.yaml is written last: until then the
// init is unfinished, also when `hand_over` fails, and starting it again begins anew.
// Errc::conflict: the directory holds a relay, or anything else; nothing is touched.
Result<void> init(const InitOrder& order, const Clock& clock, const HandOver& hand_over);

}  // namespace sallyport::app
