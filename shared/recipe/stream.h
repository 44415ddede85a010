#pragma once

#include "shared/recipe/problem.h"
#include "shared/recipe/yaml.h"

namespace sallyport::recipe {

// A recipe as it was written becomes one of plain steps: each `stream` among `steps` a step for each source,
// transformation and destination that it names, handing its rows or body to the next. What is wrong with a stream is
// reported, and the stream left out; what is wrong with a step that it gives, is found when that is read. The result is
// at most kMostGrowth larger than what was written.
inline constexpr std::size_t kMostGrowth = 256u << 10;
void expand_streams(yaml::Node& recipe, yaml::Report& report);

}  // namespace sallyport::recipe
