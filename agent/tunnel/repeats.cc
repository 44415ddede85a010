#include "agent/tunnel/repeats.h"

namespace sallyport::tunnel {
namespace {
constexpr std::size_t kMost = 64;
}  // namespace

bool Repeats::is_new(const std::string& what) {
  const bool known = again_.contains(what) || again_.size() < kMost;
  const auto [at, is_new] = again_.try_emplace(known ? what : std::string(kOthers), 0);
  if (!is_new) ++at->second;
  return is_new;
}

std::vector<std::pair<std::string, std::uint64_t>> Repeats::take() {
  std::vector<std::pair<std::string, std::uint64_t>> rest;
  for (const auto& [what, times] : std::exchange(again_, {})) {
    if (times > 0) rest.emplace_back(what, times);
  }
  return rest;
}

}  // namespace sallyport::tunnel
