#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <chrono>
#include <filesystem>
#include <string_view>
#include <utility>

namespace sallyport::identity {

enum class Readers { owner, everybody };  // modes 0600 and 0644

// Replaces the file as a whole: a crash leaves the old content or the new. Durable when it returns.
Result<void> replace_file(const std::filesystem::path& path, std::string_view content, Readers readers);

// What changes the files of a deployment. Each call is done as a whole or not at all, and durable when it returns;
// tests let one of them fail.
class FileChanges {
 public:
  virtual ~FileChanges() = default;
  virtual Result<void> replace(const std::filesystem::path& path, std::string_view content, Readers readers);
  virtual Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to);  // one folder
  virtual Result<void> remove(const std::filesystem::path& path);  // fine when there is none
};

// How long to wait, blocking, for a process that changes the same directory, which takes milliseconds unless it is
// stopped: a command waits, the relay's loop looks again later.
inline constexpr std::chrono::milliseconds kCommandPatience{10'000};
inline constexpr std::chrono::milliseconds kNoPatience{0};

// One process at a time changes a directory. The kernel lets go of it when the process ends, however it ends.
class DirectoryLock {
 public:
  // Errc::timed_out: somebody else held it for all that time.
  static Result<DirectoryLock> take(const std::filesystem::path& directory, std::chrono::milliseconds patience);
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

// At most 64 KiB. With Readers::owner, a file that anybody else may read is refused (forbidden). not_found: there is
// none.
Result<Secret> read_file(const std::filesystem::path& path, Readers readers);

Result<void> make_private_directory(const std::filesystem::path& path);  // 0700; fine when it is there already

}  // namespace sallyport::identity
