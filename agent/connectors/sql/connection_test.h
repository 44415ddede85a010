#pragma once

#include "agent/connectors/connection_test.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors::sql {

std::unique_ptr<ConnectionTest> make_connection_test(Site site);

}  // namespace sallyport::connectors::sql
