#include "relay/api/limits.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cmath>

namespace sallyport::api {

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

std::optional<std::chrono::seconds> AuthBackOff::blocked_for(std::string_view source, SteadyTime now) {
  const auto* known = sources_.find(source);
  if (known == nullptr || known->blocked_until <= now) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(known->blocked_until - now);
}

Failure AuthBackOff::failed(std::string_view source, SteadyTime now) {
  auto& entry = sources_.touch(source);
  if (entry.failures > 0 && now - entry.last > terms_.forget) entry = {};
  entry.last = now;
  ++entry.failures;
  if (entry.failures <= terms_.free_failures) return Failure::counted;
  const auto doublings = std::min<std::uint32_t>(entry.failures - terms_.free_failures - 1, 20);
  entry.blocked_until = now + std::min(terms_.longest, terms_.first * (1 << doublings));
  return entry.failures == terms_.free_failures + 1 ? Failure::now_blocked : Failure::counted;
}

std::string source_of(std::string_view peer) {
  boost::system::error_code bad;
  const auto address = boost::asio::ip::make_address(std::string(peer), bad);
  if (bad || address.is_v4()) return std::string(peer);
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return boost::asio::ip::address_v6(bytes).to_string() + "/64";
}

}  // namespace sallyport::api
