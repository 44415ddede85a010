#pragma once

#include <string>

namespace sallyport::platform {

// What this machine calls itself, as it stands there: any bytes. "" when it does not tell.
std::string host_name();

}  // namespace sallyport::platform
