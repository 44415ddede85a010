#include "relay/archive/sealed_object.h"

#include "relay/keys/sealed_record.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::archive {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kMagic = "sallyport-archive";
constexpr std::byte kVersion{1};
constexpr std::size_t kHead = kMagic.size() + 1 + 4;

keys::RecordIdentity identity_of(const OrgId& org, const JobId& job, std::uint32_t hours) {
  return {org, "archive", "record", fmt::format("{}/{}", job.value, hours), keys::KeyClass::archive};
}

Bytes head_of(std::uint32_t hours) {
  const auto magic = as_bytes(kMagic);
  Bytes head(magic.begin(), magic.end());
  head.push_back(kVersion);
  for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<std::byte>(hours >> shift));
  return head;
}

Result<std::uint32_t> hours_in(std::span<const std::byte> object) {
  if (object.size() < kHead || !std::ranges::equal(object.first(kMagic.size()), as_bytes(kMagic)))
    return fail(Errc::invalid, "no record of an archive");
  if (object[kMagic.size()] != kVersion)
    return fail(Errc::invalid, "a record of another version: read it with a newer program");
  std::uint32_t hours = 0;
  for (const std::byte byte : object.subspan(kMagic.size() + 1, 4)) {
    hours = hours << 8 | std::to_integer<std::uint32_t>(byte);
  }
  return hours;
}

}  // namespace

store::RetentionLane archive_lane(std::uint32_t hours) {
  return {std::string(to_string(keys::KeyClass::archive)), hours};
}

asio::awaitable<Result<SealedObject>> seal_object(keys::Hierarchy& keys, OrgId org, JobId job, std::uint32_t hours,
                                                  store::Hour hour, std::span<const std::byte> plaintext) {
  SP_CO_TRY(const auto outer, co_await keys.global());
  SP_CO_TRY(const auto inner, co_await keys.hour_for_writing(org, archive_lane(hours), hour));
  keys::SealHeader header{
      .key = keys::KeyClass::archive, .global = outer.version, .inner = static_cast<std::uint32_t>(inner.hour)};
  crypto::fill_random(header.salt);
  SP_CO_TRY(const auto sealed, keys::seal_record({inner.key.key->bytes(), outer.key->bytes()}, header,
                                                 identity_of(org, job, hours), plaintext));
  SealedObject object{head_of(hours), inner.hour};
  object.bytes.insert(object.bytes.end(), sealed.begin(), sealed.end());
  co_return object;
}

asio::awaitable<Result<Secret>> open_object(keys::Hierarchy& keys, OrgId org, JobId job, Bytes object) {
  SP_CO_TRY(const auto hours, hours_in(object));
  SP_CO_TRY(const auto record, keys::split_sealed(std::span<const std::byte>(object).subspan(kHead)));
  if (record.header.key != keys::KeyClass::archive)
    co_return fail(Errc::invalid, "sealed under a key of another class");
  SP_CO_TRY(const auto inner, co_await keys.hour(org, archive_lane(hours), record.header.inner));
  SP_CO_TRY(const auto outer, co_await keys.global(record.header.global));
  co_return keys::open_record({inner.key->bytes(), outer.key->bytes()}, record, identity_of(org, job, hours));
}

}  // namespace sallyport::archive
