#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <memory>

namespace sallyport::connectors::listen {

// http.listen@1: one event for each request to a path that the operator has declared and the policy allows
// (listener.h). The port is open while some recipe listens on it. What `site` has outlives it.
std::unique_ptr<TriggerSource> make_listen_trigger(Site site);

// `connection test` of kind "http-listen".
std::unique_ptr<ConnectionTest> make_listen_test(Site site);

}  // namespace sallyport::connectors::listen
