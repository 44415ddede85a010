#include "agent/journal/local_key.h"

#include "agent/platform/secret_file.h"
#include "shared/crypto/aead.h"

namespace sallyport::journal {

Result<Secret> load_or_create_local_key(const std::filesystem::path& file) {
  const std::string path = file.string();
  auto key = platform::read_secret_file(path, crypto::kAeadKeySize + 1);
  if (!key && key.error().code == Errc::not_found) {
    SP_CHECK(platform::write_secret_file(path, crypto::new_aead_key().reveal()));
    key = platform::read_secret_file(path, crypto::kAeadKeySize + 1);
  }
  if (!key && key.error().code != Errc::too_large) return in_context("the local key", std::move(key).error());
  if (!key || key->size() != crypto::kAeadKeySize) {
    return fail(Errc::invalid, "the local key " + path + " is not 32 bytes long: restore it from a backup");
  }
  return key;
}

}  // namespace sallyport::journal
