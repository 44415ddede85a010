#pragma once

#include "shared/base/result.h"

#include <string_view>

namespace sallyport::domain {

// What a user is in their organisation. Later roles include less: owner > editor > viewer.
enum class Role { owner, editor, viewer };

// Rights over the deployment (create organisations, see health). They never include an organisation's payloads.
enum class PlatformRights { none, admin };

std::string_view to_string(Role role);
Result<Role> parse_role(std::string_view text);  // Errc::invalid names the three

}  // namespace sallyport::domain
