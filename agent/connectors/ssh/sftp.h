#pragma once

#include "agent/connectors/remote/files.h"
#include "agent/connectors/ssh/session.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <libssh2_sftp.h>

namespace sallyport::connectors::ssh {

// A file that is open on the server. Reads and writes are kept going ahead of what was asked for; closed when it dies,
// whatever the server then says: who cares closes it.
class RemoteFile {
 public:
  RemoteFile(Session& session, LIBSSH2_SFTP_HANDLE* handle, std::string path)
      : session_(session), handle_(handle), path_(std::move(path)) {}
  ~RemoteFile();
  RemoteFile(const RemoteFile&) = delete;
  RemoteFile& operator=(const RemoteFile&) = delete;

  void seek(std::uint64_t to) { libssh2_sftp_seek64(handle_, to); }
  StepResult<std::size_t> read(std::span<std::byte> into, const CallLimits& limits);  // 0 = the end
  // How many of the first bytes the server has confirmed. Begins to send all of them: those that are not confirmed must
  // be the first of the next call.
  StepResult<std::size_t> write(std::span<const std::byte> bytes, const CallLimits& limits);
  StepResult<void> sync(const CallLimits& limits);  // to the server's disk, where the server can
  StepResult<remote::Facts> facts(const CallLimits& limits);
  StepResult<void> close(const CallLimits& limits);

 private:
  Session& session_;
  LIBSSH2_SFTP_HANDLE* handle_;
  std::string path_;
};

// The files of a server (SFTP version 3, draft-ietf-secsh-filexfer-02). Version 3 knows times in whole seconds.
class Sftp final : public remote::Files {
 public:
  Sftp(Session& session, LIBSSH2_SFTP* sftp) : session_(session), sftp_(sftp) {}
  ~Sftp() override;
  Sftp(const Sftp&) = delete;
  Sftp& operator=(const Sftp&) = delete;

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

  unsigned long last_answer() const { return libssh2_sftp_last_error(sftp_); }

 private:
  enum class Mode { read, create_anew, go_on };
  StepResult<std::unique_ptr<RemoteFile>> open(const std::string& path, Mode mode, const CallLimits& limits);
  StepResult<std::string> real_path(std::string_view doing, const std::string& path, const CallLimits& limits);
  StepResult<std::string> locate(const std::string& path, const CallLimits& limits);
  StepResult<void> replace_by(const std::string& from, const std::string& to, const CallLimits& limits);

  Session& session_;
  LIBSSH2_SFTP* sftp_;
  std::string root_;
};

}  // namespace sallyport::connectors::ssh
