#pragma once

#include "agent/platform/beneath.h"

#include <string>
#include <string_view>

namespace sallyport::platform {

// A name in an open directory.
struct NamedAt {
  int directory;
  const std::string& name;
};

// Gives the file `from` the name `to`, both in the same file system, at once. Where nothing may be replaced and the
// file system cannot rename so (NFS, many FUSE ones), it makes a second name, which fails when there is one, and then
// takes the first away: killed in between, both names are there, and the same call again goes on. Errc::conflict when
// `to` exists and may not be replaced; `doing` is for the text.
Result<void> rename_at(NamedAt from, NamedAt to, Replace replace, std::string_view doing);

}  // namespace sallyport::platform
