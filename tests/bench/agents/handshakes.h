#pragma once

#include "agent/link/identity.h"
#include "shared/base/result.h"

#include <netinet/in.h>

#include <chrono>

// Mutual TLS handshakes as OpenSSL's users write them: what the relay's are compared with. No Asio, no coroutine.
namespace sallyport::bench {

// One SSL_CTX, one connection after the other: shakes hands, demanding a client certificate that chains to `identity`'s
// root, and closes. Keys are P-256, no tickets, as the relay's. Returns only an error.
Result<void> run_naive_server(const sockaddr_in& listen, const agent::Identity& identity);

struct Handshakes {
  unsigned done = 0;
  unsigned failed = 0;
};
// Shakes hands with `server` as `identity` for `length`, on `threads` threads, each one after the other.
Result<Handshakes> shake_hands(const sockaddr_in& server, const agent::Identity& identity,
                               std::chrono::duration<double> length, unsigned threads);

}  // namespace sallyport::bench
