#pragma once

#include <string>

namespace sallyport::app {

std::string boot_id();  // the kernel's id of this boot; "" when /proc does not tell

}  // namespace sallyport::app
