#pragma once

#include "relay/app/archive_settings.h"
#include "relay/archive/place.h"
#include "shared/base/clock.h"

namespace sallyport::app {

// Every archive of relay.yaml. The error names the one at fault; credentials are read when they are needed.
Result<archive::Places> make_archives(const ArchiveSettings& settings, const Clock& clock);

}  // namespace sallyport::app
