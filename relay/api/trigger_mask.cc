#include "relay/api/trigger_mask.h"

namespace sallyport::api {

boost::asio::awaitable<recipe::Mask> trigger_mask_of(Services& services, jobs::RecipeOutlines& outlines,
                                                     store::Job job) {
  const auto outline = co_await outlines.find(job.org, job.recipe, job.version);
  if (outline) co_return recipe::trigger_mask(**outline);
  services.log.error("trigger.hidden", {{"job", job.id.value}, {"reason", outline.error().message}});
  co_return recipe::Mask{.everything = true, .paths = {}};
}

}  // namespace sallyport::api
