#pragma once

#include "agent/connectors/remote/files.h"
#include "agent/connectors/smb/helper.h"
#include "agent/policy/smb_connection.h"
#include "agent/vault/vault.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::smb {

// The files of a share below one directory. A backslash parts names there as "/" does, and ":" leads to other streams
// of a file: no path with either is sent. Links and junctions that the server follows by itself do not show.
class ServerFiles final : public remote::Files {
 public:
  // Connects, logs in, and looks at the root. Errors: as of Helper and of the vault; `program` is the helper.
  static StepResult<std::unique_ptr<ServerFiles>> open(const policy::SmbConnection& settings, const vault::Vault& vault,
                                                       const std::string& program, const CallLimits& limits);
  // The same in steps, for who wants to know how far it comes.
  static StepResult<std::unique_ptr<ServerFiles>> log_in(const policy::SmbConnection& settings,
                                                         const vault::Vault& vault, const std::string& program,
                                                         const CallLimits& limits);
  StepResult<void> enter(const std::string& root, const CallLimits& limits);

  StepResult<remote::Facts> facts(const std::string& path, const CallLimits& limits) override;
  StepResult<void> each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) override;
  StepResult<platform::FileFacts> read(const std::string& path, std::uint64_t from, const Take& take,
                                       const CallLimits& limits) override;
  // `at` counts what the server has confirmed.
  StepResult<platform::FileFacts> write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                        const CallLimits& limits) override;
  StepResult<std::uint64_t> reached(const std::string&, std::uint64_t at, const CallLimits&) override { return at; }
  StepResult<void> rename(const std::string& from, const std::string& to, platform::Replace replace,
                          const CallLimits& limits) override;
  StepResult<void> remove(const std::string& path, const CallLimits& limits) override;

  bool is_usable() const { return helper_.is_usable(); }
  // Whether the root is there yet: the connection may have broken while nobody used it. If not, no more is of use.
  bool is_alive(const CallLimits& limits);

 private:
  explicit ServerFiles(Helper helper) : helper_(std::move(helper)) {}
  StepResult<std::string> locate(const std::string& path) const;  // in the share
  StepResult<void> pull(std::uint64_t from, const Take& take, const CallLimits& limits);
  StepResult<void> push(std::uint64_t& at, ByteReader& source, const CallLimits& limits);
  StepResult<void> ask(const wire::Request& request, const CallLimits& limits);
  StepError not_replaced(const std::string& from, const std::string& to, const CallLimits& limits);
  StepResult<void> change(const wire::Request& request, const std::string& path, const CallLimits& limits);

  Helper helper_;
  std::string root_;  // of the share, without "/" at its end; empty: its top
  std::vector<std::byte> piece_;
};

// Whether a server takes each part of the path for one name, and the one that is written: no backslash, colon or
// wildcard, no control character, no blank or dot at its end.
bool is_plain_path(std::string_view path);

}  // namespace sallyport::connectors::smb
