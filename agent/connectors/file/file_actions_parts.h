#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/file/listing.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors::file {

std::unique_ptr<Action> make_read(Site site);
std::unique_ptr<Action> make_list(Site site);
std::unique_ptr<Action> make_write(Site site);
std::unique_ptr<Action> make_move(Site site);
std::unique_ptr<Action> make_delete(Site site);

}  // namespace sallyport::connectors::file
