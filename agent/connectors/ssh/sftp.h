#pragma once

#include "agent/connectors/ssh/session.h"
#include "agent/platform/beneath.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <libssh2_sftp.h>

namespace sallyport::connectors::ssh {

enum class Kind { file, directory, other };

struct RemoteFacts {
  Kind kind = Kind::other;
  platform::FileFacts file;  // version 3 knows whole seconds, and no identity
};

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
  StepResult<RemoteFacts> facts(const CallLimits& limits);
  StepResult<void> close(const CallLimits& limits);

 private:
  Session& session_;
  LIBSSH2_SFTP_HANDLE* handle_;
  std::string path_;
};

// The files of a server (SFTP version 3, draft-ietf-secsh-filexfer-02) below one directory. Paths are relative to it,
// as clean_path() gives them, and messages name them; the directory itself is in none. Symbolic links are not followed:
// a path that leads through one is class "policy". The server could lie about all of it; what it says is checked only
// so far that it cannot name files elsewhere.
class Sftp {
 public:
  Sftp(Session& session, LIBSSH2_SFTP* sftp) : session_(session), sftp_(sftp) {}
  ~Sftp();
  Sftp(const Sftp&) = delete;
  Sftp& operator=(const Sftp&) = delete;

  StepResult<void> enter(const std::string& root, const CallLimits& limits);

  StepResult<RemoteFacts> facts(const std::string& path, const CallLimits& limits);
  StepResult<platform::FileFacts> file_facts(const std::string& path, const CallLimits& limits);  // of a regular file
  StepResult<bool> exists(const std::string& path, const CallLimits& limits);
  // Regular, not hidden files of a directory, until `visit` returns an error; names that no server has end it as class
  // "format", those that a recipe could not write down are told with `is_named` false.
  struct Entry {
    std::string name;
    platform::FileFacts facts;
    bool is_named = true;
  };
  using Visit = std::function<StepResult<void>(Entry entry)>;
  StepResult<void> each_file(const std::string& directory, const CallLimits& limits, const Visit& visit);

  enum class Mode { read, create_anew, go_on };
  StepResult<std::unique_ptr<RemoteFile>> open(const std::string& path, Mode mode, const CallLimits& limits);
  // Changes: class "in_doubt" in front when the server did not answer.
  StepResult<void> rename(const std::string& from, const std::string& to, platform::Replace replace,
                          const CallLimits& limits);
  StepResult<void> remove(const std::string& path, const CallLimits& limits);

  unsigned long last_answer() const { return libssh2_sftp_last_error(sftp_); }

 private:
  StepResult<std::string> real_path(std::string_view doing, const std::string& path, const CallLimits& limits);
  StepResult<std::string> locate(const std::string& path, const CallLimits& limits);
  StepResult<void> replace_by(const std::string& from, const std::string& to, const CallLimits& limits);

  Session& session_;
  LIBSSH2_SFTP* sftp_;
  std::string root_;
};

// What a server lists: `none` cannot be a name (empty, with "/" or NUL), `unusable` is one that no recipe can write
// down (control characters, no UTF-8).
enum class NameVerdict { good, unusable, none };
NameVerdict judge_name(std::string_view name);

}  // namespace sallyport::connectors::ssh
