#pragma once

#include "relay/app/organisation_key_settings.h"
#include "relay/keys/own_keys.h"
#include "relay/keys/providers/call_pool.h"

namespace sallyport::app {

// Where the settings let organisations keep keys of their own. Over HTTPS only AWS's KMS endpoint of a region, or a
// host that the operator declared; on this machine only what the operator declared for that very organisation.
class OwnKeyPlaces final : public keys::OwnKeyPlaces {
 public:
  OwnKeyPlaces(OrganisationKeySettings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}

  Result<std::unique_ptr<keys::Provider>> provider(const OrgId& org, const keys::OwnKeyOrder& order) override;

 private:
  Result<std::string> ca_file_of(const std::string& origin) const;
  Result<std::unique_ptr<keys::Provider>> aws_kms(const keys::OwnKeyOrder& order);
  Result<std::unique_ptr<keys::Provider>> vault(const keys::OwnKeyOrder& order);
  Result<std::unique_ptr<keys::Provider>> named(const OrgId& org, const keys::OwnKeyOrder& order);

  OrganisationKeySettings settings_;
  const Clock& clock_;
  // However many organisations there are. Tokens' libraries may hang for good, so they have threads of their own.
  keys::CallPool answering_{8, {.waiting = 1'000}};
  keys::CallPool silent_{24, {.waiting = 1'000}};
  keys::CallPool on_this_host_{8, {.waiting = 1'000}};
};

}  // namespace sallyport::app
