#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::smb {

// What leaves this process for the server. libsmbclient asks for encryption, and goes on without it where the server
// has none, and without signatures where a login gave no key; it follows a server that refers it to another one, with
// the same login. Here nothing of that leaves: every message about a file is encrypted, whatever else follows the login
// is signed, and there is no connection but the one that the login went through.
// Messages are those of [MS-SMB2] 2.1 (a length, then "\xFESMB" and a header, or "\xFDSMB" and ciphertext).
class LineGuard {
 public:
  using Bytes = std::span<const std::byte>;  // what is sent comes in pieces
  void require_encryption() { encrypts_ = true; }
  // Whether this may be sent now: the rest of a message, or whole heads of new ones.
  bool may_send(std::span<const Bytes> pieces) const;
  void has_sent(std::span<const Bytes> pieces, std::uint64_t count);  // of what may_send() let through
  bool may_connect() const { return !has_begun_login_; }
  // Whether the guard has seen what it is for; false: what is sent goes another way, and nothing may be relied on.
  bool has_seen_all() const { return encrypts_ ? has_encrypted_ : has_signed_; }

 private:
  bool encrypts_ = false, has_begun_login_ = false, has_encrypted_ = false, has_signed_ = false;
  std::uint64_t rest_ = 0;  // of a message that was sent in part
};

// The guard of this process: connect(), write(), writev(), send() and sendmsg() of all libraries pass it
// (sending_posix.cc).
LineGuard& line_guard();

}  // namespace sallyport::smb
