#pragma once

#include "relay/jobs/volatile_payloads.h"
#include "relay/jobs/wire.h"
#include "relay/keys/envelope.h"
#include "relay/store/history.h"
#include "relay/store/jobs.h"
#include "relay/store/recipes.h"
#include "shared/base/value.h"

#include <map>

namespace sallyport::jobs {

// What goes into one message to an agent: a recipe, and the event's data (docs/protocol.md P9.1).
constexpr std::size_t kMaxRecipeJson = 640u << 10;
constexpr std::size_t kMaxTriggerJson = 256u << 10;
// What may be handed over of earlier steps, as it is sealed; the store bounds their number (docs/protocol.md P9.3).
constexpr std::size_t kMaxDone = 4u << 20;

inline constexpr std::size_t kMaxRecipeCache = 16u << 20;  // of recipes kept at hand, of all organisations

// Puts together what an agent needs to run a claimed job: opens sealed payloads, adds the recipe and what an earlier
// holder completed.
class ParcelMaker {
 public:
  struct Parts {
    store::Recipes& recipes;
    store::History& history;
    keys::Envelope& envelope;
    const VolatilePayloads& memory;
  };

  explicit ParcelMaker(Parts parts) : parts_(parts) {}

  // Errc::invalid: what an earlier holder completed was not kept whole (masked, secret, or a body on that agent), so
  // nobody else can go on with it. Errc::internal: a stored payload does not open. Errc::not_found: what is kept
  // nowhere (store::Payload::none) is not here any more. Others may pass.
  store::awaitable<Result<Dispatch>> make(const store::ClaimedJob& claimed, std::chrono::milliseconds lease_length);
  // The results that nobody has to compute again. Errc::invalid and not_found as above.
  store::awaitable<Result<std::vector<CompletedStep>>> completed(const store::Job& job);
  store::awaitable<Result<std::string>> recipe_json(OrgId org, RecipeId recipe, std::uint32_t version);
  std::size_t kept_bytes() const { return kept_bytes_; }  // of recipes; at most kMaxRecipeCache

 private:
  struct VersionKey {
    OrgId org;
    RecipeId recipe;
    std::uint32_t version;
    friend auto operator<=>(const VersionKey&, const VersionKey&) = default;
  };

  void keep(VersionKey key, const std::string& json);
  store::awaitable<Result<std::string>> trigger_of(const store::ClaimedJob& claimed);
  store::awaitable<Result<std::string>> open_output(const store::Job& job, const store::KeptStep& step);

  Parts parts_;
  std::map<VersionKey, std::string> recipes_;  // versions never change; emptied when it would pass kMaxRecipeCache
  std::size_t kept_bytes_ = 0;
};

// True when the stored output of a step is all there was: nothing redacted, no body that lives on an agent.
bool is_kept_whole(const Value& output);

}  // namespace sallyport::jobs
