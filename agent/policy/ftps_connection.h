#pragma once

#include "agent/vault/vault.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace sallyport::policy {

// Explicit: AUTH TLS on a connection that begins in clear text (RFC 4217). Implicit: TLS from the first byte. Nothing
// crosses the network in clear text either way: there is no third.
enum class FtpsSecurity { explicit_tls, implicit_tls };

// A server that is reached over FTP on TLS; its data connections are protected too (PROT P), and passive.
struct FtpsConnection {
  std::string host;
  std::uint16_t port = 21;
  FtpsSecurity security = FtpsSecurity::explicit_tls;
  std::string user;
  vault::SecretRef password;
  std::string ca_file;                  // empty: the system's store
  std::string client_certificate_file;  // PEM; empty: none is shown
  vault::SecretRef client_key;
  bool tls_1_3 = false;    // instead of TLS 1.2 (docs/decisions/0047)
  std::string root = ".";  // the directory on the server that no path leaves; relative: below where the login leads
  std::uint32_t pool = 4;  // sessions at the same time
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds answer_timeout = std::chrono::seconds(60);  // how long the server may be silent
};

}  // namespace sallyport::policy
