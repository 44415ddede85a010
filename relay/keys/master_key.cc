#include "relay/keys/master_key.h"

#include "relay/keys/private_file.h"
#include "shared/base/text.h"
#include "shared/crypto/aead.h"
#include "shared/crypto/random.h"
#include "shared/crypto/scrypt.h"

#include <string_view>

namespace sallyport::keys {
namespace {

constexpr std::string_view kClear = "sallyport-master-key-1 ";
constexpr std::string_view kSealed = "sallyport-master-key-1-scrypt ";
constexpr std::size_t kMaxFile = 256;
constexpr std::size_t kSaltSize = 16;

std::span<const std::byte> bound_to_format() { return as_bytes(kSealed); }

Result<Secret> file_text(std::string_view prefix, std::span<const std::byte> content) {
  std::string encoded = base64url(content);
  std::string text;
  text.reserve(kMaxFile);
  text.append(prefix).append(encoded).append("\n");
  wipe(encoded.data(), encoded.size());
  return Secret::take(text);
}

Result<Secret> content_of(std::string_view text, std::string_view prefix) {
  auto decoded = from_base64url(text.substr(prefix.size(), text.size() - prefix.size() - 1));
  if (!decoded) return fail(Errc::invalid, "the master key is damaged");
  std::string bytes(as_text(*decoded));
  wipe(decoded->data(), decoded->size());
  return Secret::take(bytes);
}

Result<Secret> seal_content(const Secret& key, const Secret& passphrase) {
  const Bytes salt = crypto::random_bytes(kSaltSize);
  SP_TRY(const Secret under, crypto::scrypt(passphrase, salt));
  SP_TRY(const Bytes sealed, crypto::seal(under, as_bytes(key.reveal()), bound_to_format()));
  Bytes content = salt;
  content.insert(content.end(), sealed.begin(), sealed.end());
  return file_text(kSealed, content);
}

Result<Secret> open_content(const Secret& content, const std::optional<Secret>& passphrase) {
  if (!passphrase) return fail(Errc::forbidden, "the master key has a passphrase, and none was given");
  const auto bytes = as_bytes(content.reveal());
  if (bytes.size() <= kSaltSize) return fail(Errc::invalid, "the master key is damaged");
  SP_TRY(const Secret under, crypto::scrypt(*passphrase, bytes.first(kSaltSize)));
  auto key = crypto::open(under, bytes.subspan(kSaltSize), bound_to_format());
  if (!key) return fail(Errc::forbidden, "the passphrase of the master key is wrong, or the file is damaged");
  return key;
}

}  // namespace

Result<Secret> parse_key_file(const Secret& text, const std::optional<Secret>& passphrase) {
  const auto all = text.reveal();
  const bool sealed = all.starts_with(kSealed);
  if (!(sealed || all.starts_with(kClear)) || !all.ends_with('\n')) {
    return fail(Errc::invalid, "not a master key of this program");
  }
  SP_TRY(Secret key, content_of(all, sealed ? kSealed : kClear));
  if (sealed) {
    SP_TRY(key, open_content(key, passphrase));
  }
  if (key.size() != crypto::kAeadKeySize) return fail(Errc::invalid, "the master key is damaged");
  return key;
}

Result<Secret> read_key_file(const std::filesystem::path& file, const std::optional<Secret>& passphrase) {
  SP_TRY(const Secret text, read_private_file(file, kMaxFile));
  auto key = parse_key_file(text, passphrase);
  if (!key) return in_context(file.string(), std::move(key).error());
  return key;
}

Result<void> write_key_file(const std::filesystem::path& file, const Secret& key,
                            const std::optional<Secret>& passphrase) {
  auto text = passphrase ? seal_content(key, *passphrase) : file_text(kClear, as_bytes(key.reveal()));
  if (!text) return std::unexpected(std::move(text).error());
  return write_new_private_file(file, as_bytes(text->reveal()));
}

}  // namespace sallyport::keys
