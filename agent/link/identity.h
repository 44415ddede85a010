#pragma once

#include "agent/link/endpoint.h"
#include "shared/base/ids.h"
#include "shared/crypto/key.h"
#include "shared/crypto/spiffe.h"
#include "shared/crypto/x509.h"

#include <string>
#include <vector>

namespace sallyport::agent {

// Who this agent is, and whom it trusts. The key was made here and leaves only into the identity file.
struct Identity {
  Endpoint relay;
  std::string group;
  crypto::SpiffeId id;
  crypto::PrivateKey key;
  std::vector<crypto::Certificate> chain;  // own certificate first, then its issuing CA
  crypto::Certificate root;
  std::string web = {};  // URL of the relay's web API; "" if nobody told
};

// What to do for an agent whose certificate the relay does not take any more.
inline constexpr std::string_view kHowToEnrolAgain =
    "make a string for it with `sallyport agent reenrol NAME`, stop the agent, and give the string to "
    "`sallyport-agent enrol -`";

// Errc::invalid unless all parts belong together: the certificate is for `key` and names exactly `id`, its issuer
// signed it, the root signed the issuer. Validity in time is not judged.
Result<void> check_identity(const Identity& identity);

// Where an identity is kept between starts. A crash at any moment leaves the old or the new one whole.
class IdentityStore {
 public:
  virtual ~IdentityStore() = default;
  virtual Result<Identity> load() const = 0;  // Errc::not_found before enrolment; checked by check_identity
  virtual Result<void> install(const Identity& identity) = 0;
};

// One file of mode 0600: a few "name: value" lines, the key and the certificates in PEM. Refuses a file that others can
// read, with the command that repairs it. Blocks briefly (a few KiB, fsync): at start, after enrolment, at a renewal.
class FileIdentityStore final : public IdentityStore {
 public:
  explicit FileIdentityStore(std::string path) : path_(std::move(path)) {}
  Result<Identity> load() const override;
  Result<void> install(const Identity& identity) override;

 private:
  std::string path_;
};

// The text form of the file.
Secret format_identity(const Identity& identity);
Result<Identity> parse_identity(std::string_view text);

}  // namespace sallyport::agent
