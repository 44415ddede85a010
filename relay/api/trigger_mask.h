#pragma once

#include "relay/api/services.h"
#include "relay/jobs/outlines.h"
#include "shared/recipe/model.h"

namespace sallyport::api {

// What the recipe masks of its trigger's data; all of it when the recipe cannot say.
boost::asio::awaitable<recipe::Mask> trigger_mask_of(Services& services, jobs::RecipeOutlines& outlines,
                                                     store::Job job);

}  // namespace sallyport::api
