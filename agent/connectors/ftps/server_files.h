#pragma once

#include "agent/connectors/ftps/wire.h"
#include "agent/connectors/remote/files.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::ftps {

// The files of a server over one session. What FTP does not say is asked for in other ways: directories by CWD and PWD,
// which shows where symbolic links lead; size and time by MLST, or by SIZE, MDTM and STAT; listings by MLSD, or by
// LIST.
class ServerFiles final : public remote::Files {
 public:
  // Connects, logs in, and enters `root`. Errors: as of Wire; not_found when there is no such directory.
  static StepResult<std::unique_ptr<ServerFiles>> open(const policy::FtpsConnection& settings,
                                                       const vault::Vault& vault, const CallLimits& limits);
  // The same in two steps, for who wants to know how far it comes.
  explicit ServerFiles(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
  StepResult<void> greet(const CallLimits& limits);
  StepResult<void> enter(const std::string& root, const CallLimits& limits);

  StepResult<remote::Facts> facts(const std::string& path, const CallLimits& limits) override;
  StepResult<void> each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) override;
  StepResult<void> complete(std::vector<platform::DirectoryEntry>& files, const CallLimits& limits) override;
  StepResult<platform::FileFacts> read(const std::string& path, std::uint64_t from, const Take& take,
                                       const CallLimits& limits) override;
  // `at` counts what was handed over; the server's size of the file says what has arrived.
  StepResult<platform::FileFacts> write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                        const CallLimits& limits) override;
  StepResult<std::uint64_t> reached(const std::string& path, std::uint64_t at, const CallLimits& limits) override;
  StepResult<void> rename(const std::string& from, const std::string& to, platform::Replace replace,
                          const CallLimits& limits) override;
  StepResult<void> remove(const std::string& path, const CallLimits& limits) override;

  bool is_usable() const { return wire_->is_usable(); }
  const Wire& wire() const { return *wire_; }

 private:
  StepResult<std::string> locate(const std::string& path, const CallLimits& limits);
  StepResult<std::string> directory_at(const std::string& where, const CallLimits& limits);
  StepResult<remote::Facts> facts_at(const std::string& where, const CallLimits& limits);
  StepResult<remote::Facts> facts_by_size(const std::string& where, const CallLimits& limits);
  StepResult<std::uint64_t> size_at(const std::string& where, const CallLimits& limits);
  StepResult<void> change(const std::vector<std::string>& commands, const CallLimits& limits);

  std::unique_ptr<Wire> wire_;
  std::string root_;  // absolute; empty: "/"
  bool has_facts_ = false;
};

}  // namespace sallyport::connectors::ftps
