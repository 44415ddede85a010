#include "tests/unit/agent/journal/failing_vfs.h"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>

namespace sallyport::journal::test {
namespace {

constexpr const char* kName = "sallyport-failing";

// SQLite calls from whichever thread holds the connection; the tests use one at a time.
struct Plan {
  std::uint64_t left = 0;  // 0: nothing planned
  FailingVfs::Kind kind = FailingVfs::Kind::crash;
  bool failed = false;
};
Plan plan;

int next_operation() {
  const bool dead = plan.failed && plan.kind == FailingVfs::Kind::crash;
  if (!dead && (plan.left == 0 || --plan.left > 0)) return SQLITE_OK;
  plan.failed = true;
  return plan.kind == FailingVfs::Kind::full_disk ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real_of(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

int close_file(sqlite3_file* file) {
  const int code = real_of(file)->pMethods ? real_of(file)->pMethods->xClose(real_of(file)) : SQLITE_OK;
  std::free(real_of(file));
  return code;
}
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const int code = next_operation(); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  if (const int code = next_operation(); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
int sync_file(sqlite3_file* f, int flags) {
  if (const int code = next_operation(); code != SQLITE_OK) return code == SQLITE_FULL ? code : SQLITE_IOERR_FSYNC;
  return real_of(f)->pMethods->xSync(real_of(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); }
int lock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
int unlock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
int check_lock(sqlite3_file* f, int* held) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held); }
int control(sqlite3_file* f, int op, void* arg) { return real_of(f)->pMethods->xFileControl(real_of(f), op, arg); }
int sector_size(sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
int characteristics(sqlite3_file* f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }

const sqlite3_io_methods kMethods = {
    1,       close_file,  read_file,       write_file, truncate_file, sync_file, file_size, lock,    unlock, check_lock,
    control, sector_size, characteristics, nullptr,    nullptr,       nullptr,   nullptr,   nullptr, nullptr};

sqlite3_vfs* base_vfs() { return sqlite3_vfs_find("unix"); }

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
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

sqlite3_vfs& own_vfs() {
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

}  // namespace

FailingVfs::FailingVfs() {
  sqlite3_initialize();
  plan = {};
  sqlite3_vfs_register(&own_vfs(), 0);
}
FailingVfs::~FailingVfs() { sqlite3_vfs_unregister(&own_vfs()); }

std::string FailingVfs::name() const { return kName; }
void FailingVfs::fail_at(std::uint64_t operation, Kind kind) { plan = {operation, kind, false}; }
void FailingVfs::heal() { plan = {}; }
bool FailingVfs::has_failed() const { return plan.failed; }

}  // namespace sallyport::journal::test
