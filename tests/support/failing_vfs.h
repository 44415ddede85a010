#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace sallyport::test {

// A SQLite file system over the real one in which the k-th changing operation (write, truncate, sync) fails, and,
// if it is a crash, every one after it too, as if the process had died there. One at a time; one thread writes at a
// time, and none while a failure is planned or healed.
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

namespace failing {

inline constexpr const char* kName = "sallyport-failing";

struct Plan {
  std::uint64_t left = 0;  // 0: nothing planned
  FailingVfs::Kind kind = FailingVfs::Kind::crash;
  bool failed = false;
};
inline Plan plan;

inline int next_operation() {
  const bool dead = plan.failed && plan.kind == FailingVfs::Kind::crash;
  if (!dead) {
    if (plan.left == 0) return SQLITE_OK;
    plan.left -= 1;
    if (plan.left > 0) return SQLITE_OK;
  }
  plan.failed = true;
  return plan.kind == FailingVfs::Kind::full_disk ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

inline sqlite3_file* real_of(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

inline int close_file(sqlite3_file* file) {
  const int code = real_of(file)->pMethods ? real_of(file)->pMethods->xClose(real_of(file)) : SQLITE_OK;
  std::free(real_of(file));
  return code;
}
inline int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}
inline int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const int code = next_operation(); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}
inline int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  if (const int code = next_operation(); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
inline int sync_file(sqlite3_file* f, int flags) {
  if (const int code = next_operation(); code != SQLITE_OK) return code == SQLITE_FULL ? code : SQLITE_IOERR_FSYNC;
  return real_of(f)->pMethods->xSync(real_of(f), flags);
}
inline int file_size(sqlite3_file* f, sqlite3_int64* size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); }
inline int lock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
inline int unlock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
inline int check_lock(sqlite3_file* f, int* held) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held); }
inline int control(sqlite3_file* f, int op, void* arg) {
  return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
inline int sector_size(sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
inline int characteristics(sqlite3_file* f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }

inline int map_shared(sqlite3_file* f, int page, int size, int extend, void volatile** at) {
  return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, at);
}
inline int lock_shared(sqlite3_file* f, int offset, int n, int flags) {
  return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
inline void fence_shared(sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
inline int unmap_shared(sqlite3_file* f, int erase) { return real_of(f)->pMethods->xShmUnmap(real_of(f), erase); }

inline const sqlite3_io_methods kMethods = {
    2,           close_file,   read_file,    write_file, truncate_file, sync_file,       file_size,
    lock,        unlock,       check_lock,   control,    sector_size,   characteristics, map_shared,
    lock_shared, fence_shared, unmap_shared, nullptr,    nullptr};

inline sqlite3_vfs* base_vfs() { return sqlite3_vfs_find("unix"); }

inline int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* mine = reinterpret_cast<File*>(file);
  mine->real = static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(base_vfs()->szOsFile)));
  const int code = base_vfs()->xOpen(base_vfs(), name, mine->real, flags, out_flags);
  if (code != SQLITE_OK) {
    std::free(mine->real);
    mine->base.pMethods = nullptr;
    return code;
  }
  mine->base.pMethods = &kMethods;
  return SQLITE_OK;
}

inline sqlite3_vfs& own_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *base_vfs();
    made.pNext = nullptr;
    made.zName = kName;
    made.szOsFile = sizeof(File);
    made.xOpen = open_file;
    return made;
  }();
  return vfs;
}

}  // namespace failing

inline FailingVfs::FailingVfs() {
  sqlite3_initialize();
  failing::plan = {};
  sqlite3_vfs_register(&failing::own_vfs(), 0);
}
inline FailingVfs::~FailingVfs() { sqlite3_vfs_unregister(&failing::own_vfs()); }

inline std::string FailingVfs::name() const { return failing::kName; }
inline void FailingVfs::fail_at(std::uint64_t operation, Kind kind) { failing::plan = {operation, kind, false}; }
inline void FailingVfs::heal() { failing::plan = {}; }
inline bool FailingVfs::has_failed() const { return failing::plan.failed; }

}  // namespace sallyport::test
