#pragma once

#include "agent/connectors/certificate/prelude.h"
#include "agent/findings/finding.h"
#include "shared/base/clock.h"
#include "shared/crypto/server_chain.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::connectors::certificate {

// Whom to look at, and what a client there trusts.
struct Whom {
  std::string host;  // that the certificate has to name
  std::uint16_t port = 0;
  Before before = Before::nothing;
  std::string ca_file = {};  // empty: the system's store
  enum class Name { checked, not_checked } name = Name::checked;
};
// An HTTP proxy that the way leads through.
struct Through {
  std::string host;
  std::uint16_t port = 0;
  Secret request;  // CONNECT, whole
};

// The certificate that a server shows to one who looks at it before the client library does: for findings "tls" of a
// ConnectionTest, in words that are the same for every library. It decides nothing.
class Shown {
 public:
  Shown(Whom whom, std::vector<crypto::Certificate> chain, const Clock& clock);
  explicit Shown(Whom whom, Error why) : whom_(std::move(whom)), why_(std::move(why)) {}

  // The library has taken it.
  findings::Finding good() const;
  // The library has taken any, or has not looked at the name: `text` says so.
  findings::Finding note(const std::string& text, const std::string& advice) const;
  // The library has refused it, or TLS did not come about: `why` is what it says.
  findings::Finding bad(const std::string& why) const;
  // Nobody who trusts what `whom` trusts could take it; false also when none was shown.
  bool is_refusable() const;

 private:
  std::string certificate() const;  // "HOST shows ...", or why none was seen
  std::string advice() const;

  Whom whom_;
  std::vector<crypto::Certificate> chain_;
  crypto::ChainJudgement judgement_;
  Error why_;
};

// Connects, shakes hands, and goes away; ends with the deadline, at the latest after some seconds. Blocks. Never fails:
// a server that shows none is one of the outcomes.
Shown look(Whom whom, const Clock& clock, SteadyTime deadline);
Shown look(Whom whom, Through proxy, const Clock& clock, SteadyTime deadline);

// "CN=db, issued by CN=Example CA, for db.example.com, until 2027-01-31, SHA-256 AB:CD...", for people. Foreign texts
// are without control characters and not longer than people read.
std::string describe(const crypto::Certificate& certificate);

}  // namespace sallyport::connectors::certificate
