#pragma once

#include "shared/async/sources.h"
#include "shared/base/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// How much one caller may ask for. No IO and no clock of their own; memory is bounded, whoever calls.
namespace sallyport {

struct BucketTerms {
  double per_second = 100;
  double burst = 400;
  std::size_t callers = 10'000;
};

enum class Admit { yes, no };

struct BucketVerdict {
  Admit admit = Admit::yes;
  std::int64_t remaining = 0;
  std::chrono::seconds reset{0};  // until the bucket is full again; when refused, until one more call may come
};

// One token bucket per caller.
class CallBuckets {
 public:
  explicit CallBuckets(BucketTerms terms) : terms_(terms), buckets_(terms.callers) {}
  BucketVerdict take(std::string_view caller, SteadyTime now);
  const BucketTerms& terms() const { return terms_; }

 private:
  struct Bucket {
    std::optional<SteadyTime> at;
    double tokens = 0;
  };
  BucketTerms terms_;
  BoundedTable<Bucket> buckets_;
};

}  // namespace sallyport
