#include "shared/sealing/system_key.h"

#include "shared/crypto/hpke.h"
#include "shared/sealing/limits.h"
#include "shared/sealing/octets.h"

namespace sallyport::sealing {
namespace {

constexpr std::string_view kInfo = "sallyport/1/system-key";

Bytes associated(const SealedFor& binding) {
  Bytes bytes;
  append_framed(bytes, binding.org.value);
  append_framed(bytes, binding.group.value);
  append_framed(bytes, binding.name);
  append_number<8>(bytes, binding.version);
  append_framed(bytes, binding.agent.value);
  append_number<4>(bytes, binding.generation);
  return bytes;
}

}  // namespace

Result<Bytes> seal_credentials(const crypto::PublicKey& to, const SealedFor& binding, const Credentials& credentials) {
  SP_TRY(const auto plaintext, format_credentials(credentials));
  const Bytes aad = associated(binding);
  return crypto::hpke_seal(to, as_bytes(plaintext.reveal()), {as_bytes(kInfo), aad});
}

Result<Credentials> open_credentials(const crypto::PrivateKey& sealing_key, const SealedFor& binding,
                                     std::span<const std::byte> sealed) {
  if (sealed.size() > kMostSealed) return fail(Errc::invalid, "too long to be a system key");
  const Bytes aad = associated(binding);
  SP_TRY(const auto plaintext, crypto::hpke_open(sealing_key, sealed, {as_bytes(kInfo), aad}));
  return parse_credentials(plaintext);
}

}  // namespace sallyport::sealing
