#pragma once

#include "relay/audit/audit.h"
#include "relay/store/key_store.h"
#include "shared/base/log.h"

namespace sallyport::app {

// What restores of keys.db gave up comes into the ledgers of the deployment and of whom it concerns, at the first start
// after them: no ledger can be written while no relay runs. What is cut short is told twice; what a ledger does not
// take is told at the next start, and logged.
store::awaitable<Result<void>> tell_of_restores(store::KeyStore& keys, Audit& audit, const Log& log);

}  // namespace sallyport::app
