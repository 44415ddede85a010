#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/call_limits.h"
#include "agent/connectors/ftps/talk.h"
#include "agent/policy/ftps_connection.h"
#include "agent/vault/vault.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors::ftps {

// One session with a server, by libcurl: a control connection that is made when it is first needed, and again when the
// server has closed it in between, and one data connection at a time, both on TLS with the server's certificate
// verified. Paths are the server's own, absolute, without control characters. One thread at a time; blocks, and ends
// with the deadline, within a second of a stop, and when the server says nothing for `answer_timeout`.
// Errors: connection, timeout, cancelled, permission (the login), invalid (certificates of this agent), format; those
// of reply_error(); texts name no setting.
class Wire {
 public:
  // `settings` outlives it. libcurl is loaded. Errors: of the vault.
  static StepResult<std::unique_ptr<Wire>> make(const policy::FtpsConnection& settings, const vault::Vault& vault);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Each command after the answer to the one before, whatever that says. A reply for each.
  StepResult<std::vector<Reply>> ask(std::span<const std::string> commands, const CallLimits& limits);

  using Take = std::function<StepResult<void>(std::span<const std::byte> bytes)>;
  // What `command` ("MLSD", "LIST") tells of a directory.
  StepResult<void> list(std::string_view command, const std::string& directory, const Take& take,
                        const CallLimits& limits);
  StepResult<void> get(const std::string& path, std::uint64_t from, const Take& take, const CallLimits& limits);
  // From 0 on the file is made anew, else `source` goes on at its end. `at` is moved on by what was handed over.
  StepResult<void> put(const std::string& path, std::uint64_t& at, ByteReader& source, const CallLimits& limits);

  bool is_usable() const;          // no call was ended in the middle
  const Talk& last_talk() const;   // of the last call
  std::string last_fault() const;  // what libcurl said of it; may name settings
  bool is_secured() const;         // the last call came as far as the TLS of the control connection

 private:
  struct Impl;
  explicit Wire(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::connectors::ftps
