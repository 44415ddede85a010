#include "relay/store/enrolment_tokens.h"

namespace sallyport::store {

EnrolmentState state_at(const EnrolmentToken& token, WallTime now) {
  if (token.revoked_at) return EnrolmentState::revoked;
  if (now >= token.expires_at) return EnrolmentState::expired;
  if (token.uses >= token.max_uses) return EnrolmentState::used_up;
  return EnrolmentState::usable;
}

}  // namespace sallyport::store
