#include "shared/crypto/signing_request.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = crypto::SigningRequest::from_der({reinterpret_cast<const std::byte*>(data), size});
  if (request && request->public_key_der().empty()) std::abort();
  return 0;
}
