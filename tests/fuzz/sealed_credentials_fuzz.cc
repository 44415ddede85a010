#include "relay/keys/locked_memory.h"
#include "relay/keys/sealed_credentials.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

// Credentials as keys.db has them: any bytes are refused or opened as a whole, what was sealed opens for its purpose
// alone, and not with any byte changed.
namespace {

using namespace sallyport;

keys::HeldKey held_key() {
  static const auto memory = keys::LockedMemory::make();
  if (!memory) std::abort();
  auto key = (*memory)->take();
  if (!key) std::abort();
  std::ranges::fill(key->writable(), std::byte{7});
  return {std::make_shared<const keys::LockedKey>(*std::move(key)), {}, 1};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto global = held_key();
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto version = keys::global_version_of(bytes);
  if (keys::open_credentials(global, "purpose", bytes)) std::abort();  // nobody has sealed it
  if (version && size < 53) std::abort();

  const Secret credentials = Secret::take(std::string(as_text(bytes)));
  auto sealed = keys::seal_credentials(global, "purpose", credentials);
  if (!sealed || keys::global_version_of(*sealed) != 1u) std::abort();
  const auto opened = keys::open_credentials(global, "purpose", *sealed);
  if (!opened || opened->reveal() != credentials.reveal()) std::abort();
  if (keys::open_credentials(global, "another purpose", *sealed)) std::abort();
  const auto at = size == 0 ? 0 : data[0] % sealed->size();
  if (at < 1 || at > 4) {  // which global key that is, whoever asks for it says
    (*sealed)[at] ^= std::byte{1};
    if (keys::open_credentials(global, "purpose", *sealed)) std::abort();
  }
  return 0;
}
