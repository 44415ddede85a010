#pragma once

#include "agent/link/dialer.h"
#include "agent/link/identity.h"
#include "agent/link/ways.h"
#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace sallyport::agent {

// Makes the byte stream a link runs over. A new way to the relay (WebSocket over HTTPS) is a new Transport.
class Transport {
 public:
  virtual ~Transport() = default;
  // To `relay`, which must be the host that its certificate names.
  virtual boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(Endpoint relay, SteadyTime deadline) = 0;
};

// TCP, through a proxy where one is set, and mutual TLS with the identity the store has at that moment. All references
// must outlive it.
class TlsTransport final : public Transport {
 public:
  TlsTransport(const Dialer& dialer, const IdentityStore& identities, const Clock& clock)
      : dialer_(dialer), identities_(identities), clock_(clock) {}
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(Endpoint relay, SteadyTime deadline) override;

 private:
  const Dialer& dialer_;
  const IdentityStore& identities_;
  const Clock& clock_;
};

// The relay's web API as the identity names it, or the relay's own address: one port may serve both.
WebAddress web_of(const Identity& identity, const Endpoint& relay);

// The same by whichever way leads to the relay. `web` goes before the address of the web API that the identity names;
// without both, the relay's own address is taken for it: one port may serve both.
class WayTransport final : public Transport {
 public:
  WayTransport(Ways& ways, const IdentityStore& identities, const Clock& clock,
               std::optional<WebAddress> web = std::nullopt)
      : ways_(ways), identities_(identities), clock_(clock), web_(std::move(web)) {}
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(Endpoint relay, SteadyTime deadline) override;

 private:
  Ways& ways_;
  const IdentityStore& identities_;
  const Clock& clock_;
  std::optional<WebAddress> web_;
};

}  // namespace sallyport::agent
