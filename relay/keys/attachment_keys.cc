#include "relay/keys/attachment_keys.h"

namespace sallyport::keys {
namespace {

constexpr std::string_view kNotAsked = "the organisation's own key was not asked yet; try again in a few seconds";

}  // namespace

void AttachmentKeys::hold(const OrgId& org, HeldKey key) {
  entries_.insert_or_assign(org, Entry{std::move(key), {Errc::unavailable, std::string(kNotAsked)}});
}

void AttachmentKeys::refuse(const OrgId& org, Error why) {
  entries_.insert_or_assign(org, Entry{std::nullopt, std::move(why)});
}

void AttachmentKeys::fail_later(const OrgId& org, Error why) { entries_[org].why = std::move(why); }

void AttachmentKeys::forget(const OrgId& org) { entries_.erase(org); }

Result<HeldKey> AttachmentKeys::find(const OrgId& org, std::uint32_t version, SteadyTime now) const {
  const auto entry = entries_.find(org);
  if (entry == entries_.end()) return fail(Errc::unavailable, std::string(kNotAsked));
  const auto& key = entry->second.key;
  if (key && key->version == version && key->until > now) return *key;
  const auto& why = entry->second.why;
  return fail(Errc::unavailable, why.message.empty() ? std::string(kNotAsked) : why.message);
}

void AttachmentKeys::sweep(SteadyTime now) {
  for (auto& [org, entry] : entries_) {
    if (entry.key && entry.key->until <= now) entry.key.reset();
  }
}

}  // namespace sallyport::keys
