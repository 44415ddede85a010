#include "relay/keys/master_key.h"
#include "relay/keys/sealed_record.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

// Splitting any bytes stays inside them and loses none; nothing opens that was not sealed; a key file's text is a key
// or refused.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const std::array<std::byte, 32> key{};
  if (auto record = keys::split_sealed(bytes)) {
    if (record->head.size() + record->commitment.size() + record->body.size() != size) std::abort();
    const keys::RecordIdentity identity{OrgId("org"), "steps", "output", "1", record->header.key};
    if (keys::open_record({key, key}, *record, identity)) std::abort();
  }
  const Secret text = Secret::take(std::string(as_text(bytes)));
  if (auto parsed = keys::parse_key_file(text, std::nullopt); parsed && parsed->size() != 32) std::abort();
  return 0;
}
