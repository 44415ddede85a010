#include "relay/domain/roles.h"

#include <string>

namespace sallyport::domain {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::owner: return "owner";
    case Role::editor: return "editor";
    case Role::viewer: return "viewer";
  }
  return "";
}

Result<Role> parse_role(std::string_view text) {
  for (Role role : {Role::owner, Role::editor, Role::viewer}) {
    if (text == to_string(role)) return role;
  }
  return fail(Errc::invalid, "unknown role: expected owner, editor or viewer");
}

}  // namespace sallyport::domain
