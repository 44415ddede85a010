#pragma once

#include "relay/identity/revocations.h"
#include "relay/jobs/dispatcher.h"
#include "relay/jobs/volatile_payloads.h"
#include "relay/store/tunnels.h"
#include "relay/tunnels/desk.h"

namespace sallyport::app {

// Ends what this relay does for an organisation whose agents are revoked in the store: their links are cut and their
// jobs taken back, its tunnels are closed, and what is in memory of its jobs is forgotten. Again: no change.
struct Quieted {
  store::Agents& agents;
  store::Tunnels& tunnels;
  identity::Revocations& revocations;
  jobs::Dispatcher& dispatcher;
  jobs::VolatilePayloads& memory;
  tunnels::Desk& desk;
};
store::awaitable<Result<void>> quieten(Quieted parts, OrgId org);

}  // namespace sallyport::app
