#pragma once

#include "shared/base/result.h"

#include <netinet/in.h>

namespace sallyport::bench {

// What a tunnel leads to. The first byte of a connection chooses what the target does with it.
enum class Wish : char {
  echo = 'E',     // sends back what comes
  answer = 'C',   // sends that byte back and closes
  produce = 'D',  // sends without end
  consume = 'U',  // takes everything, and tells every few milliseconds how many bytes came, as 8 bytes of this machine
};

// Serves `address` on `threads` threads until the process ends. Returns only an error.
Result<void> run_target(const sockaddr_in& address, unsigned threads);

}  // namespace sallyport::bench
