#include "agent/smb/configuration.h"

#include <fmt/format.h>

#include <cerrno>

namespace sallyport::smb {
namespace {

using connectors::smb::wire::Trouble;

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || c == '/' || c == '.' || c == '-') {
      safe += c;
    } else {
      safe += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return safe;
}

}  // namespace

// Names are looked up by DNS alone and never kept; no NetBIOS, nothing is written to disk.
std::string configuration_for(const connectors::smb::wire::Open& settings) {
  return fmt::format(R"([global]
client min protocol = SMB3_00
client max protocol = SMB3_11
client ipc min protocol = SMB3_00
client ipc max protocol = SMB3_11
client signing = required
client ipc signing = required
client smb encrypt = {}
client ntlmv2 auth = yes
client lanman auth = no
client plaintext auth = no
client use kerberos = off
disable netbios = yes
name resolve order = host
name cache timeout = 0
unix charset = UTF-8
load printers = no
usershare max shares = 0
lock directory = /nonexistent
state directory = /nonexistent
cache directory = /nonexistent
private dir = /nonexistent
log level = 0
)",
                     settings.encrypts != 0 ? "required" : "default");
}

std::string url_of(const connectors::smb::wire::Open& settings, std::string_view path) {
  return fmt::format("smb://{}/{}/{}", escaped(settings.host), escaped(settings.share),
                     path == "." ? std::string() : escaped(path));
}

Trouble trouble_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS: return Trouble::permission;
    case ENOENT:
    case ENOTDIR:
    case ENODEV: return Trouble::not_found;  // ENODEV: there is no such share
    case EEXIST:
    case ENOTEMPTY: return Trouble::exists;
    case EBUSY:
    case ETXTBSY: return Trouble::busy;
    case ENOSPC:
    case EDQUOT: return Trouble::disk_full;
    case EFBIG:
    case ENOMEM:
    case EMFILE: return Trouble::too_large;
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG: return Trouble::invalid;
    default: return Trouble::connection;
  }
}

}  // namespace sallyport::smb
