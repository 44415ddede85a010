#include "shared/async/call_buckets.h"

#include <algorithm>
#include <cmath>

namespace sallyport {

namespace {

std::chrono::seconds whole_seconds(double seconds) {
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(std::max(0.0, seconds))));
}

}  // namespace

BucketVerdict CallBuckets::take(std::string_view caller, SteadyTime now) {
  auto& bucket = buckets_.touch(caller);
  const double waited = bucket.at ? std::chrono::duration<double>(now - *bucket.at).count() : 0;
  bucket.tokens = bucket.at ? std::min(terms_.burst, bucket.tokens + waited * terms_.per_second) : terms_.burst;
  bucket.at = now;
  if (bucket.tokens < 1)
    return {Admit::no, 0, std::max(std::chrono::seconds(1), whole_seconds((1 - bucket.tokens) / terms_.per_second))};
  bucket.tokens -= 1;
  return {Admit::yes, static_cast<std::int64_t>(bucket.tokens),
          whole_seconds((terms_.burst - bucket.tokens) / terms_.per_second)};
}

}  // namespace sallyport
