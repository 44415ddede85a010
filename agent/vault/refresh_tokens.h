#pragma once

#include "agent/platform/file_lock.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstdint>
#include <stop_token>
#include <string>

namespace sallyport::vault {

// Where a refresh token may go. What was issued for another endpoint or client does not open.
struct TokenHome {
  std::string connection;
  std::string token_url;
  std::string client_id;
};

// Refresh tokens of OAuth 2.0 (RFC 6749 section 1.5), one for each connection, each in a file `refresh-token-NAME` of
// mode 0600 in the state directory, sealed with the agent's local key. They never leave the machine but to their token
// endpoint. Thread-safe; threads and processes take turns.
class RefreshTokens {
 public:
  explicit RefreshTokens(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  // One connection's token, for one thread of one process at a time: a server that rotates tokens (RFC 9700 section
  // 4.14.2) ends the whole authorization when one is used twice.
  class Held {
   public:
    // not_found: nobody has authorized the connection, or not for this home; or the file was edited or moved.
    Result<Secret> read() const;
    Result<void> begin(const Secret& token) const;    // of a new authorization; durable when it returns
    Result<void> replace(const Secret& token) const;  // the next one of the same; durable when it returns
    Result<void> forget() const;

   private:
    friend class RefreshTokens;
    Held(std::string path, TokenHome home, Secret key, platform::FileLock lock)
        : path_(std::move(path)), home_(std::move(home)), key_(std::move(key)), lock_(std::move(lock)) {}
    Result<void> write(std::uint64_t authorization, const Secret& token) const;

    std::string path_;
    TokenHome home_;
    Secret key_;
    platform::FileLock lock_;
  };
  // Errc::not_found: the agent has never run here, so that there is no local key; timed_out, cancelled.
  Result<Held> hold(TokenHome home, SteadyTime deadline, const std::stop_token& stop) const;

  // Tells authorizations of a connection apart, whatever token is theirs now; 0: there is none.
  std::uint64_t authorization_of(const std::string& connection) const;
  // Of every connection: this agent has been revoked.
  Result<void> forget_all() const;

 private:
  std::string path_of(const std::string& connection) const;

  std::string state_dir_;
};

}  // namespace sallyport::vault
