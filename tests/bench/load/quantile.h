#pragma once

#include <vector>

namespace sallyport::bench {

// The value below which `share` of the values lie, between two of them in proportion; 0 when there is none.
double quantile(std::vector<double>& values, double share);

}  // namespace sallyport::bench
