#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"
#include "shared/crypto/new_id.h"

#include <cstddef>
#include <optional>
#include <string>

namespace sallyport {

using WebhookId = Id<struct WebhookTag>;  // whk_

template <>
struct crypto::IdPrefix<WebhookId> {
  static constexpr std::string_view text = "whk_";
};

}  // namespace sallyport

namespace sallyport::store {

inline constexpr std::size_t kMostWebhooks = 1'000;  // of one organisation

// An address at which one sender starts jobs of one recipe.
struct Webhook {
  WebhookId id;
  OrgId org;
  RecipeId recipe;
  std::string name;              // for people; may be empty
  std::string proof;             // how the sender proves who it is, as relay/webhooks spells it
  std::string signature_header;  // of those proofs that have one; else empty
  Bytes sealed_secrets;          // by the envelope: table "webhooks", column "secrets", record = the id
  WallTime secret_set_at;
  std::optional<WallTime> old_secret_until;  // until then one before the newest is as good
  UserId created_by;
  WallTime created_at;
};

struct NewSecrets {
  Bytes before;  // sealed_secrets as they were read
  Bytes sealed_secrets;
  WallTime set_at;
  std::optional<WallTime> old_until;
};

class Webhooks {
 public:
  virtual ~Webhooks() = default;
  // not_found: no such recipe. conflict: it was removed. exhausted: as many as an organisation may have.
  virtual awaitable<Result<void>> add(OrgId org, Webhook webhook, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<Webhook>> find(OrgId org, WebhookId id) = 0;
  virtual awaitable<Result<Page<Webhook>>> list(OrgId org, PageQuery page) = 0;  // oldest first
  // conflict: the secrets are others by now.
  virtual awaitable<Result<Webhook>> set_secrets(OrgId org, WebhookId id, NewSecrets secrets,
                                                 AuditNote<Webhook> note = {}) = 0;
  virtual awaitable<Result<Webhook>> remove(OrgId org, WebhookId id, AuditNote<Webhook> note = {}) = 0;
  virtual awaitable<Result<Webhook>> find_for_delivery(WebhookId id) = 0;  // system-wide
};

}  // namespace sallyport::store
