#pragma once

#include "shared/base/clock.h"
#include "shared/crypto/ca.h"
#include "shared/crypto/new_id.h"

#include <stdexcept>
#include <string>
#include <vector>

// A deployment in memory: for tests that need certificates. Link shared/crypto.
namespace sallyport::test {

// The value, or an exception that ends the test with the error's message.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Wall time that stands still until a test moves it; steady time is real.
class MovableClock final : public Clock {
 public:
  explicit MovableClock(WallTime now = SystemClock().wall()) : now_(now) {}
  SteadyTime steady() const override { return frozen_ ? *frozen_ : std::chrono::steady_clock::now(); }
  WallTime wall() const override { return now_; }
  void advance(std::chrono::milliseconds by) {
    now_ += by;
    if (frozen_) *frozen_ += by;
  }
  // From now on only advance() moves the steady clock too: for what compares it, not for what sleeps by it.
  void freeze() { frozen_ = std::chrono::steady_clock::now(); }

 private:
  WallTime now_;
  std::optional<SteadyTime> frozen_;
};

struct AgentKeyPair {
  crypto::SpiffeId id;
  crypto::PrivateKey key;
  std::vector<crypto::Certificate> chain;  // leaf, issuing CA
};

struct Pki {
  explicit Pki(const Clock& c, std::vector<std::string> server_names = {"127.0.0.1", "relay.test"})
      : clock(c),
        root(must(crypto::make_root("Test root", c))),
        server(must(crypto::make_server_certificate(root, std::move(server_names), c))),
        issuer(must(crypto::make_issuing_ca(root, trust_domain, org, c))) {}

  AgentKeyPair agent(std::chrono::seconds lifetime = crypto::kAgentLifetime) const {
    const crypto::SpiffeId id{trust_domain, org, crypto::new_id<AgentId>(clock)};
    auto key = must(crypto::PrivateKey::generate());
    const auto request = must(crypto::SigningRequest::from_der(must(crypto::make_signing_request(key))));
    auto leaf = must(crypto::issue_agent_certificate(issuer, request, id, lifetime, clock));
    return {id, std::move(key), {std::move(leaf), issuer.certificate}};
  }

  const Clock& clock;
  std::string trust_domain = "relay.test";
  OrgId org = crypto::new_id<OrgId>(clock);
  crypto::Authority root;
  crypto::ServerCertificate server;
  crypto::Authority issuer;
};

}  // namespace sallyport::test
