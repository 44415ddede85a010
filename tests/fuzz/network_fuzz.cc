#include "relay/domain/tunnel.h"

#include <cstdint>
#include <cstdlib>

// What is taken has one spelling; a network holds its own first address, and reads the same in both spellings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport::domain;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto address = canonical_address(text)) {
    if (canonical_address(*address) != address) std::abort();
    if (!is_in_networks(text, {*address}) || !is_in_networks(*address, {text})) std::abort();
  }
  const auto network = canonical_network(text);
  if (!network) return 0;
  if (canonical_network(*network) != network) std::abort();
  const auto first = network->substr(0, network->find('/'));
  if (!is_in_networks(first, {text}) || !is_in_networks(first, {*network})) std::abort();
  return 0;
}
