#include "relay/keys/master_key_text.h"
#include "relay/keys/sealed_record.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// Splitting any bytes stays inside them and loses none; a key file's text reads back as itself or not at all.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  if (auto record = keys::split_sealed(bytes)) {
    const Bytes header = keys::write_header(record->key, record->salt);
    if (!std::ranges::equal(header, record->header)) std::abort();
    if (record->header.size() + record->body.size() != size || record->body.empty()) std::abort();
  }
  const Secret text = Secret::take(std::string(as_text(bytes)));
  if (auto key = keys::parse_key_file(text)) {
    if (keys::format_key_file(*key).reveal() != text.reveal()) std::abort();
  }
  return 0;
}
