#include "relay/keys/attachment_keys.h"

namespace sallyport::keys {
namespace {

constexpr std::string_view kBeingAsked = "the organisation's own key is being asked for; try again in a few seconds";

}  // namespace

Error own_key_closed() {
  return {Errc::unavailable,
          "the organisation's own key cannot be used; nothing of the organisation is read or written until it can "
          "(`sallyport keys show` tells its owners why)"};
}

void AttachmentKeys::hold(const OrgId& org, HeldKey key) {
  const auto version = key.version;
  entries_.insert_or_assign({org, version}, Entry{std::move(key), {}});
}

void AttachmentKeys::refuse(const OrgId& org, std::uint32_t version, Error why) {
  entries_.insert_or_assign({org, version}, Entry{std::nullopt, std::move(why)});
}

void AttachmentKeys::fail_later(const OrgId& org, std::uint32_t version, Error why) {
  entries_[{org, version}].why = std::move(why);
}

void AttachmentKeys::forget(const OrgId& org, std::uint32_t version) { entries_.erase({org, version}); }

Result<HeldKey> AttachmentKeys::find(const OrgId& org, std::uint32_t version, SteadyTime now) const {
  const auto entry = entries_.find({org, version});
  if (entry == entries_.end()) return fail(Errc::unavailable, std::string(kBeingAsked));
  const auto& key = entry->second.key;
  if (key && key->until > now) return *key;
  const auto& why = entry->second.why;
  return fail(Errc::unavailable, why.message.empty() ? std::string(kBeingAsked) : why.message);
}

void AttachmentKeys::sweep(SteadyTime now) {
  for (auto& [place, entry] : entries_) {
    if (entry.key && entry.key->until <= now) entry.key.reset();
  }
}

}  // namespace sallyport::keys
