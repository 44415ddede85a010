#pragma once

#include "agent/connectors/archive/transform.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>

namespace sallyport::connectors::archive {

inline constexpr std::int64_t kDefaultRatio = 200;

// What the actions of this folder share.
Check going_on(const Site& site, const StepContext& context);  // both outlive it
// How many bytes went from `from` to `into`; class "too_large" beyond `limit`, which is what is left of limits.bytes.
StepResult<std::uint64_t> copy(ByteReader& from, BodyWriter& into, std::uint64_t limit);

std::unique_ptr<Action> make_zip_list(Site site);
std::unique_ptr<Action> make_zip_unpack(Site site);
std::unique_ptr<Action> make_zip_pack(Site site);

}  // namespace sallyport::connectors::archive
