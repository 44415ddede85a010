#include "shared/async/sources.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace sallyport {

std::optional<std::chrono::seconds> SourceBackOff::blocked_for(std::string_view source, SteadyTime now) {
  const auto* known = sources_.find(source);
  if (known == nullptr || known->blocked_until <= now) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(known->blocked_until - now);
}

Failure SourceBackOff::failed(std::string_view source, SteadyTime now) {
  auto& entry = sources_.touch(source);
  if (entry.failures > 0 && now - entry.last > terms_.forget) entry = {};
  entry.last = now;
  ++entry.failures;
  if (entry.failures <= terms_.free_failures) return Failure::counted;
  const auto doublings = std::min<std::uint32_t>(entry.failures - terms_.free_failures - 1, 20);
  entry.blocked_until = now + std::min(terms_.longest, terms_.first * (1 << doublings));
  return entry.failures == terms_.free_failures + 1 ? Failure::now_blocked : Failure::counted;
}

std::size_t FairShare::held_by(const std::string& source) const {
  const auto it = held_.find(source);
  return it == held_.end() ? 0 : it->second;
}

void FairShare::take(const std::string& source) {
  ++held_[source];
  ++taken_;
}

void FairShare::give_back(const std::string& source) {
  const auto it = held_.find(source);
  if (it == held_.end()) return;
  --taken_;
  if (--it->second == 0) held_.erase(it);
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

}  // namespace sallyport
