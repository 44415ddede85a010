#pragma once

#include "relay/app/settings.h"
#include "relay/archive/place.h"
#include "shared/base/clock.h"

namespace sallyport::app {

// Every archive of relay.yaml; none is a directory in the relay's data or around it. The error names the one at fault;
// credentials are read when they are needed.
Result<archive::Places> make_archives(const DataDirectory& data, const ArchiveSettings& settings, const Clock& clock);

}  // namespace sallyport::app
