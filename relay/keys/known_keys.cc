#include "relay/keys/known_keys.h"

#include "relay/keys/attachment_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace sallyport::keys {
namespace {

std::string name_of(const OrgId& org) {
  return org.value.empty() ? std::string("the global key") : "the key of organisation " + org.value;
}

std::unexpected<Error> is_lost(std::uint32_t version, const OrgId& org) {
  return fail(
      Errc::unavailable,
      fmt::format("version {} of {} is lost: it is not in keys.db, which is older than this database, or another "
                  "one's: put back the keys.db that belongs to it, or run sallyport-relay keys restore; when no "
                  "backup has that version either, --accept-loss gives it up",
                  version, name_of(org)));
}

Result<void> expect_alive(const KnownKeys& known) {
  if (!known.erased) return {};
  return fail(Errc::forbidden, "the organisation is erased: it never gets a key again");
}

}  // namespace

bool misses_attachment(const store::KeyWitness& witness, std::uint32_t last_own) {
  return last_own < witness.attached.version;
}

std::uint32_t KnownKeys::next() const { return std::max({newest(), witness.version, given_up}) + 1; }

bool KnownKeys::is_given_up(std::uint32_t version) const {
  return version > 0 && version <= given_up &&
         std::ranges::find(keys, version, &store::KeyVersion::version) == keys.end();
}

Result<void> KnownKeys::expect_newest() const {
  SP_CHECK(expect_alive(*this));
  if (newest() >= witness.version || is_given_up(witness.version)) return {};
  return is_lost(witness.version, org);
}

Result<void> KnownKeys::expect_attached() const {
  SP_CHECK(expect_alive(*this));
  if (!misses_attachment(witness, last_own)) return {};
  return std::unexpected(own_key_closed());
}

Result<store::KeyVersion> KnownKeys::choose(std::uint32_t version) const {
  SP_CHECK(expect_alive(*this));
  if (version == 0) {
    SP_CHECK(expect_newest());
    if (!keys.empty()) return keys.back();
  }
  const auto found = std::ranges::find(keys, version, &store::KeyVersion::version);
  if (found != keys.end()) return *found;
  if (is_given_up(version)) {
    return fail(Errc::not_found,
                fmt::format("version {} of {} was lost and given up: what is sealed under it cannot be read any more",
                            version, name_of(org)));
  }
  if (version > 0 && version <= witness.version) return is_lost(version, org);
  return fail(Errc::unavailable, fmt::format("version {} of {} is not in keys.db: put back the keys.db that belongs to "
                                             "this database",
                                             version, name_of(org)));
}

}  // namespace sallyport::keys
