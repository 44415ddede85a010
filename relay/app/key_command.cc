#include "relay/app/key_command.h"

#include "relay/app/believed_clock.h"
#include "relay/app/data_lock.h"
#include "relay/app/data_owner.h"
#include "relay/app/key_provider.h"
#include "relay/app/key_ring.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/master_key.h"
#include "relay/keys/private_file.h"
#include "relay/keys/providers/pkcs11.h"
#include "shared/async/run.h"
#include "shared/crypto/aead.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <array>
#include <system_error>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

Result<DataLock> take(const DataDirectory& data) {
  SP_CHECK(expect_relay(data));
  SP_CHECK(check_owner(data));
  return DataLock::take(data);
}

std::unexpected<Error> failed(std::string_view what, const fs::path& file, std::error_code problem) {
  return fail(Errc::unavailable, fmt::format("{} {}: {}", what, file.string(), problem.message()));
}

// Overwrites it and takes it away, when it is there.
Result<void> destroy(const fs::path& file) {
  std::error_code problem;
  if (!fs::exists(file, problem)) return {};
  const auto size = fs::file_size(file, problem);
  if (problem) return failed("wiping", file, problem);
  SP_CHECK(keys::overwrite(file, 0, Bytes(size)));
  fs::remove(file, problem);
  if (problem) return failed("removing", file, problem);
  return {};
}

// For a key that is written now.
Result<Secret> read_passphrase(const std::string& file) {
  SP_TRY(auto passphrase, read_secret_file(file));
  if (passphrase.reveal().find_first_not_of(" \t\r\n") != std::string_view::npos) return passphrase;
  return fail(Errc::invalid, file + ": a passphrase has more in it than blanks");
}

fs::path former(const fs::path& file) { return file.string() + ".old"; }
fs::path coming(const fs::path& file) { return file.string() + ".new"; }

// What comes becomes `file`, and what `file` was is overwritten. At every moment one of them is whole at its place.
Result<void> put_in_place(const fs::path& file) {
  std::error_code problem;
  fs::create_hard_link(file, former(file), problem);
  if (problem) return failed("keeping", file, problem);
  fs::rename(coming(file), file, problem);
  if (problem) return failed("replacing", file, problem);
  return destroy(former(file));
}

}  // namespace

Result<std::string> rewrap_keys(const DataDirectory& data, const fs::path& from, const Clock& clock) {
  SP_TRY(const auto lock, take(data));
  std::error_code problem;
  if (!fs::exists(from, problem)) {
    return fail(Errc::not_found, fmt::format("--from {}: {}; it is relay.yaml as it was before the move", from.string(),
                                             problem ? problem.message() : std::string("no such file")));
  }
  SP_TRY(const auto before, load_settings(from));
  SP_TRY(const auto after, load_settings(data.settings()));
  SP_TRY(auto next, make_provider(data, after.keys, clock));
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  SP_TRY(auto ring, open_keys(data, before.keys, clock));
  keys::Hierarchy hierarchy(loop.get_executor(),
                            {ring.store->keys(), *ring.provider, ring.anchor, *ring.memory, clock});
  SP_TRY(const auto count, run_to_end(loop, hierarchy.rewrap_globals(*next), "wrapping the global keys"));
  return fmt::format("{} version{} of the global key wrapped by {}; {} is not needed any more\n", count,
                     count == 1 ? "" : "s", next->describe(), ring.provider->describe());
}

Result<std::string> create_key(const DataDirectory& data) {
  SP_CHECK(expect_relay(data));
  SP_CHECK(check_owner(data));
  SP_TRY(const auto settings, load_settings(data.settings()));
  if (const auto* file = std::get_if<FileKeySettings>(&settings.keys))
    return create_key_file(data.master_key(), file->passphrase_file);
  const auto* token = std::get_if<Pkcs11KeySettings>(&settings.keys);
  if (token == nullptr) {
    return fail(Errc::invalid,
                "keys in relay.yaml is neither a file nor a PKCS#11 token: make the key where it is kept");
  }
  SP_CHECK(keys::make_pkcs11_key({token->module, token->token, token->key, secret_in(token->pin_file)}));
  return fmt::format("key {} made in token {}: AES, 256 bits, not extractable\n", token->key, token->token);
}

Result<std::string> create_key_file(const fs::path& file, const std::string& passphrase_file) {
  std::optional<Secret> passphrase;
  if (!passphrase_file.empty()) {
    SP_TRY(passphrase, read_passphrase(passphrase_file));
  }
  SP_CHECK(keys::write_key_file(file, crypto::new_aead_key(), passphrase));
  return fmt::format("key made in {} (mode 0600), {} a passphrase\n", fs::absolute(file).string(),
                     passphrase ? "under" : "without");
}

Result<std::string> protect_key(const DataDirectory& data, const std::string& passphrase_file) {
  SP_TRY(const auto lock, take(data));
  SP_TRY(const auto settings, load_settings(data.settings()));
  const auto* file = std::get_if<FileKeySettings>(&settings.keys);
  if (file == nullptr) return fail(Errc::invalid, "the master key is not kept in a file (keys in relay.yaml)");
  SP_TRY(const auto key, read_master_key(data.master_key(), *file));
  SP_TRY(std::optional<Secret> passphrase, read_passphrase(passphrase_file));
  const auto& place = data.master_key();
  for (const auto& rest : {former(place), coming(place)}) SP_CHECK(destroy(rest));  // of a run that was cut short
  SP_CHECK(keys::write_key_file(coming(place), key, passphrase));
  SP_CHECK(put_in_place(place));
  return fmt::format(
      "the master key has a passphrase; write into relay.yaml:\nkeys:\n  file: {{passphrase_file: {}}}\n",
      fs::absolute(passphrase_file).string());
}

Result<std::string> confirm_clock(const DataDirectory& data) {
  SP_TRY(const auto lock, take(data));
  SP_CHECK(BelievedClock::confirm(data.clock()));
  return std::string("this machine's clock is believed from here on\n");
}

}  // namespace sallyport::app
