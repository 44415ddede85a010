#pragma once

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

// Stands in front of the system's fsync() in the program that includes it, so in one of its files only: the errno it
// shall fail with for directories and for everything else, and how often it was asked for a directory.
namespace sallyport::test {

struct FailingFsync {
  std::atomic<int> of_directories = 0, of_files = 0, directories_synced = 0;
};

inline FailingFsync& failing_fsync() {
  static FailingFsync state;
  return state;
}

}  // namespace sallyport::test

extern "C" int fsync(int fd) {
  auto& state = sallyport::test::failing_fsync();
  struct stat info{};
  const bool is_directory = ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  const int code = is_directory ? state.of_directories : state.of_files;
  if (code != 0) return errno = code, -1;
  const int done = static_cast<int>(::syscall(SYS_fsync, fd));
  state.directories_synced += is_directory && done == 0 ? 1 : 0;
  return done;
}
