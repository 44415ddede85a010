#include "shared/base/log.h"

#include <unistd.h>

#include <string>

namespace sallyport {

void FdSink::write(std::string_view line) {
  std::string with_end(line);
  with_end += '\n';
  for (std::string_view rest = with_end; !rest.empty();) {
    const auto n = ::write(fd_, rest.data(), rest.size());
    if (n <= 0) return;  // nowhere left to complain to
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace sallyport
