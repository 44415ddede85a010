#pragma once

#include <cstdint>
#include <string>

namespace sallyport::journal::test {

// A SQLite file system over the real one in which the k-th changing operation (write, truncate, sync) fails, and,
// if it is a crash, every one after it too, as if the process had died there.
class FailingVfs {
 public:
  enum class Kind { full_disk, io_error, crash };
  FailingVfs();
  ~FailingVfs();
  FailingVfs(const FailingVfs&) = delete;
  FailingVfs& operator=(const FailingVfs&) = delete;

  std::string name() const;
  void fail_at(std::uint64_t operation, Kind kind);  // counted from now, from 1
  void heal();
  bool has_failed() const;
};

}  // namespace sallyport::journal::test
