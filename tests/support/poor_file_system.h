#pragma once

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <thread>
#include <vector>

namespace sallyport::test {

// A file system that cannot do something, as NFS and FUSE ones: the kernel itself refuses it, to one thread. An errno
// for each, 0 where it works.
struct PoorFileSystem {
  unsigned rename_with_flags = 0;  // renameat2() with flags
  unsigned rename = 0;             // with or without
  unsigned link = 0;
  unsigned unlink = 0;
  unsigned unnamed_files = 0;  // O_TMPFILE

  // From here on and for good, for this thread and what it makes.
  bool limit_this_thread() const {
    std::vector<sock_filter> program;
    if (rename != 0) {
      refuse(program, SYS_renameat2, rename);
      refuse(program, SYS_renameat, rename);  // what the C library makes of it without flags
    }
    if (rename_with_flags != 0) refuse_if(program, {SYS_renameat2, 4, ~0U}, rename_with_flags);
    if (link != 0) refuse(program, SYS_linkat, link);
    if (unlink != 0) refuse(program, SYS_unlinkat, unlink);
    constexpr unsigned kUnnamed = static_cast<unsigned>(O_TMPFILE) & ~static_cast<unsigned>(O_DIRECTORY);
    if (unnamed_files != 0) refuse_if(program, {SYS_openat, 2, kUnnamed}, unnamed_files);
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
  }

 private:
  struct Flags {
    unsigned call;
    std::size_t argument;
    unsigned mask;
  };
  using Program = std::vector<sock_filter>;

  static sock_filter load(std::size_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
  }
  static void refuse(Program& program, unsigned call, unsigned code) {
    program.push_back(load(offsetof(seccomp_data, nr)));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code));
  }
  static void refuse_if(Program& program, Flags flags, unsigned code) {
    program.push_back(load(offsetof(seccomp_data, nr)));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags.call, 0, 3));
    program.push_back(load(offsetof(seccomp_data, args) + flags.argument * sizeof(seccomp_data::args[0])));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags.mask, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code));
  }
};

// What `body` gives on such a file system; assertions are made by the caller's own thread.
template <class Body>
auto on(const PoorFileSystem& poor, Body body) {
  bool limited = false;
  decltype(body()) result;
  std::thread thread([&] {
    limited = poor.limit_this_thread();
    if (limited) result = body();
  });
  thread.join();
  REQUIRE(limited);
  return result;
}

}  // namespace sallyport::test
