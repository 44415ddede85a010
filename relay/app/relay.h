#pragma once

#include "relay/app/log_files.h"
#include "relay/app/settings.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

namespace sallyport::app {

// Runs the relay of a data directory until SIGTERM or SIGINT, then stops in order: no new work, links told, what
// is open through tunnels ended or cut, requests under way answered, database closed. SIGHUP makes it look at the
// deployment's files at once. Builds the whole graph of objects; the only place that names concrete classes. Errors say
// what could not be opened, loaded or listened on.
// Errc::conflict: another process holds the data directory.
// Ends what is in `files` in time, whether `log` writes there or not.
Result<void> serve(const DataDirectory& data, const Settings& settings, const Clock& clock, const Log& log,
                   LogFiles& files);

}  // namespace sallyport::app
