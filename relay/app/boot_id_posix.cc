#include "relay/app/boot_id.h"

#include <fstream>

namespace sallyport::app {

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

}  // namespace sallyport::app
