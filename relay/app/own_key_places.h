#pragma once

#include "relay/app/organisation_key_settings.h"
#include "relay/keys/own_keys.h"
#include "relay/keys/providers/call_pool.h"
#include "relay/keys/trouble.h"

#include <map>
#include <memory>
#include <string>

namespace sallyport::app {

// Where the settings let organisations keep keys of their own. Over HTTPS only AWS's KMS endpoint of a region, or a
// host that the operator declared; on this machine only what the operator declared for that very organisation. What is
// wrong with what the operator declared is told to the log, and to nobody else.
class OwnKeyPlaces final : public keys::OwnKeyPlaces {
 public:
  OwnKeyPlaces(OrganisationKeySettings settings, const Clock& clock, const Log& log)
      : settings_(std::move(settings)), clock_(clock), log_(log) {}

  Result<std::unique_ptr<keys::Provider>> provider(const OrgId& org, const keys::OwnKeyOrder& order) override;

 private:
  // A token's library or a file system may hang for good: each declared key has a thread of its own, made at its first
  // call. The key stays, and with it which PINs the token has refused.
  struct Declared {
    Declared(const Log& log, const OrgId& org);
    std::shared_ptr<keys::Trouble> trouble;
    std::shared_ptr<keys::BlockingProvider> key;  // made when it is asked for first
    keys::CallPool line{1, {}};
  };

  Result<std::string> ca_file_of(const std::string& origin);
  Result<std::unique_ptr<keys::Provider>> aws_kms(const keys::OwnKeyOrder& order);
  Result<std::unique_ptr<keys::Provider>> vault(const keys::OwnKeyOrder& order);
  Result<std::unique_ptr<keys::Provider>> named(const OrgId& org, const keys::OwnKeyOrder& order);

  OrganisationKeySettings settings_;
  const Clock& clock_;
  const Log& log_;
  std::map<std::string, Declared> declared_;          // by name, of those that were used
  std::map<std::string, keys::Trouble> authorities_;  // by host
  // However many organisations there are: calls over HTTPS end when they are given up.
  keys::CallPool answering_{8, {.waiting = 1'000}};
  keys::CallPool silent_{24, {.waiting = 1'000}};
};

}  // namespace sallyport::app
