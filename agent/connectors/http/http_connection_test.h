#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors::http {

// Kind "http": libcurl, the way to the server or its proxy, and a HEAD of the connection's `url` with its logins.
std::unique_ptr<ConnectionTest> make_http_connection_test(Site site);

}  // namespace sallyport::connectors::http
