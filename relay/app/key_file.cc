#include "relay/app/key_file.h"

#include "shared/crypto/aead.h"

#include <fmt/format.h>

namespace sallyport::app {

Result<Bytes> KeyFile::wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& /*call*/) {
  SP_TRY(const auto own, read_());
  return crypto::seal(own, as_bytes(key.reveal()), as_bytes(purpose));
}

Result<Secret> KeyFile::unwrap(const std::string& purpose, const Bytes& wrapped,
                               const outbound::CallThread::Call& /*call*/) {
  SP_TRY(const auto own, read_());
  auto key = crypto::open(own, wrapped, as_bytes(purpose));
  if (!key)
    return fail(Errc::invalid, fmt::format("the key \"{}\" was not wrapped by {} in {}", purpose, whose_, path_));
  return key;
}

}  // namespace sallyport::app
