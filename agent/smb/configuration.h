#pragma once

#include "agent/connectors/smb/wire/messages.h"

#include <string>
#include <string_view>

namespace sallyport::smb {

// What libsmbclient reads in place of the machine's smb.conf. Nothing of it comes from a request but the choices.
std::string configuration_for(const connectors::smb::wire::Open& settings);

// smb://HOST/SHARE/PATH, with all but letters and digits as %XX.
std::string url_of(const connectors::smb::wire::Open& settings, std::string_view path);

connectors::smb::wire::Trouble trouble_of(int error);  // errno

}  // namespace sallyport::smb
