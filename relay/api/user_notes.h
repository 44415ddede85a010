#pragma once

#include "relay/api/notes.h"

namespace sallyport::api {

// With a row of its own for each enrolment token that is revoked with its maker, as if somebody had called for it.
store::AuditNote<store::UserChange> note_with_tokens(const Services& services, const Call& call, Said said = {});

}  // namespace sallyport::api
