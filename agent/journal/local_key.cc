#include "agent/journal/local_key.h"

#include "agent/platform/secret_file.h"
#include "shared/crypto/aead.h"

#include <fmt/format.h>

#include <system_error>

namespace sallyport::journal {
namespace {

std::string lost(const std::string& key, const std::string& journal) {
  return fmt::format(
      "the local key {} is not there, and {} is sealed with it: restore the key from a backup. If it is lost, so are "
      "this agent's unfinished jobs and what it knows of events: look at their targets, take files whose jobs ran out "
      "of the watched directories, then move {} with its -wal and -shm and the spool directory away and start again",
      key, journal, journal);
}

}  // namespace

Result<Secret> load_or_create_local_key(const std::filesystem::path& file, const std::filesystem::path& journal) {
  const std::string path = file.string();
  auto key = platform::read_secret_file(path, crypto::kAeadKeySize + 1);
  if (!key && key.error().code == Errc::not_found) {
    std::error_code unknown;
    if (std::filesystem::exists(journal, unknown) || unknown)
      return fail(Errc::not_found, lost(path, journal.string()));
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
