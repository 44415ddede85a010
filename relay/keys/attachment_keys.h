#pragma once

#include "relay/keys/key_cache.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"

#include <map>
#include <utility>

namespace sallyport::keys {

// What everybody is told who asks for something of an organisation whose own key is refused: where the key is, and why,
// is its owners'. Errc::unavailable.
Error own_key_closed();

// The unwrapped keys of attachments: what stands between an organisation's own key and the keys that it protects. Who
// asks where those are kept (own_keys.h) puts them here, who wraps with them (hierarchy.h) finds them, or why they
// cannot be had: so nobody but the first ever waits for an organisation's key. One executor.
class AttachmentKeys {
 public:
  void hold(const OrgId& org, HeldKey key);  // its version is the attachment's
  // What was held of it is forgotten.
  void refuse(const OrgId& org, std::uint32_t version, Error why);
  // What was held of it is good until its time is over, then this is why there is none.
  void fail_later(const OrgId& org, std::uint32_t version, Error why);
  void forget(const OrgId& org, std::uint32_t version);

  // Errc::unavailable: it cannot be had, and why.
  Result<HeldKey> find(const OrgId& org, std::uint32_t version, SteadyTime now) const;
  void sweep(SteadyTime now);

 private:
  struct Entry {
    std::optional<HeldKey> key;
    Error why;
  };
  std::map<std::pair<OrgId, std::uint32_t>, Entry> entries_;  // of one organisation two, while it changes its key
};

}  // namespace sallyport::keys
