#pragma once

#include "agent/vault/vault.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace sallyport::policy {

// Every message is signed at least; there is nothing below SMB 3.
enum class SmbProtection { encrypted, signed_only };

// A share of a server that is reached over SMB 3, by user and password (NTLMv2).
struct SmbConnection {
  std::string host;
  std::uint16_t port = 445;
  std::string share;
  std::string domain;  // empty: the server's own users
  std::string user;
  vault::SecretRef password;
  SmbProtection protection = SmbProtection::encrypted;
  std::string root = ".";  // the directory of the share that no path leaves
  std::uint32_t pool = 4;  // sessions at the same time, each with a helper program of its own
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds answer_timeout = std::chrono::seconds(60);  // how long the server may be silent
};

}  // namespace sallyport::policy
