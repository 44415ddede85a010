#pragma once

#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"
#include "shared/tls/context.h"
#include "shared/tls/peer_identity.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::tls {

struct SessionFacts {
  std::string version;                          // "TLSv1.3"
  std::string cipher;                           // "TLS_AES_128_GCM_SHA256"
  std::string protocol;                         // the ALPN name both agreed on
  std::vector<crypto::Certificate> peer_chain;  // on clients: verified, leaf first, root last. Behind a carrier
                                                // context: as shown, verified by nobody
  std::optional<PeerIdentity> agent;            // on the relay's end of a link
};

// A TLS session after its handshake, whatever carries it: what links and enrolments are built on.
class SecureStream : public ByteStream {
 public:
  // The unhurried end after a last message, with no other operation under way: sends close_notify, drops what still
  // arrives until the peer closes or `deadline`, then closes. Without it the kernel may reset the connection and lose
  // the message.
  virtual boost::asio::awaitable<void> finish(SteadyTime deadline) = 0;
  virtual const SessionFacts& facts() const = 0;
  // RFC 8446 §7.5 (RFC 5705 on TLS 1.2, only with extended master secret), without context.
  virtual Result<Bytes> export_keying_material(std::string_view label, std::size_t length) const = 0;
};

}  // namespace sallyport::tls
