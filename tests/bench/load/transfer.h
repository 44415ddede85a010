#pragma once

#include "tests/bench/load/phases.h"

#include <netinet/in.h>

#include <cstdint>
#include <string>

// One long transfer with a SHA-256 at both ends.
namespace sallyport::bench {

struct Transferred {
  std::string sent;      // digests in hexadecimal: of what the sender wrote,
  std::string received;  // and of what the receiver read
  double seconds = 0;    // until the receiver had its last byte and both digests were there
};

// The end that is no client: one connection after the other. Returns only an error.
Result<void> run_store(const sockaddr_in& listen);

// Moves `bytes` through the tunnel at `entrance` that leads to run_store(). Errc::unavailable: it broke off.
Result<Transferred> transfer(const sockaddr_in& entrance, Direction direction, std::uint64_t bytes);

}  // namespace sallyport::bench
