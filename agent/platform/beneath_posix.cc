#include "agent/platform/beneath.h"
#include "agent/platform/os_error.h"
#include "agent/platform/rename_posix.h"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace sallyport::platform {
namespace {

constexpr int kRaceRetries = 8;

int open_beneath(int directory, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const auto fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how));
    // EAGAIN: somebody renamed a directory during the walk, and the kernel could not prove where it led.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == kRaceRetries) return static_cast<int>(fd);
  }
}

std::unexpected<Error> confined_fail(int code, std::string_view doing, std::string_view path) {
  if (code == ENOSYS) {
    return fail(Errc::internal, "this kernel has no openat2 (Linux 5.6 or later is needed): file access is refused");
  }
  if (code == ELOOP || code == EXDEV) {
    return fail(Errc::forbidden,
                fmt::format("{} {}: the path has a symbolic link or leaves the connection's root; neither is followed",
                            doing, path));
  }
  if (code == EAGAIN) return fail(Errc::forbidden, fmt::format("{} {}: its directories keep moving", doing, path));
  return os_fail(code, fmt::format("{} {}", doing, path));
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

using Stat = struct statx;

// False with errno. With an empty name it is about `at` itself.
bool examine(int at, const char* name, Stat& info) {
  return ::statx(at, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &info) == 0;
}

std::int64_t nanoseconds(const struct statx_timestamp& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

// Not the device: many file systems get another number each time they are mounted.
FileFacts facts_from(const Stat& info) {
  auto identity = fmt::format("{:x}", info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0) identity += fmt::format(".{:x}", nanoseconds(info.stx_btime));
  return FileFacts{info.stx_size, nanoseconds(info.stx_mtime), std::move(identity)};
}

}  // namespace

Result<FileFacts> facts_of(int fd) {
  Stat info{};
  if (!examine(fd, "", info)) return os_fail("examining a file");
  return facts_from(info);
}

Result<Root> Root::open(const std::string& directory) {
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os_fail("opening the directory " + directory);
  Fd probe(open_beneath(fd.get(), ".", O_PATH | O_DIRECTORY));
  if (!probe) return confined_fail(errno, "opening", directory);
  return Root(std::move(fd));
}

Result<Fd> Root::resolve(std::string_view path, int flags) const {
  SP_TRY(const auto clean, clean_path(path));
  Fd fd(open_beneath(directory_.get(), clean, flags));
  if (!fd) return confined_fail(errno, "opening", clean);
  return fd;
}

Result<Fd> Root::open_file(std::string_view path) const {
  SP_TRY(auto fd, resolve(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  Stat info{};
  if (!examine(fd.get(), "", info)) return os_fail("examining a file");
  if (!S_ISREG(info.stx_mode)) return fail(Errc::invalid, fmt::format("{} is not a regular file", path));
  return fd;
}

Result<Fd> Root::open_directory(std::string_view path) const { return resolve(path, O_RDONLY | O_DIRECTORY); }

Result<void> Root::check_changeable(std::string_view path) const {
  SP_TRY(const auto directory, open_directory(path));
  if (::faccessat(directory.get(), ".", W_OK | X_OK, AT_EACCESS) == 0) return {};
  return os_fail(fmt::format("changing the directory {}", path));
}

Result<FileFacts> Root::facts(std::string_view path) const {
  SP_TRY(const auto fd, resolve(path, O_PATH));
  Stat info{};
  if (!examine(fd.get(), "", info)) return os_fail("examining a file");
  if (!S_ISREG(info.stx_mode)) return fail(Errc::invalid, fmt::format("{} is not a regular file", path));
  return facts_from(info);
}

// False when the directory itself says that the entry is of another kind: that spares looking at the file.
bool may_be(const dirent& entry, mode_t kind) {
  if (entry.d_type == DT_UNKNOWN) return true;
  return static_cast<mode_t>(DTTOIF(entry.d_type)) == kind;
}

// Calls `visit(name, stat)` for everything of this kind in the directory that is not hidden and wanted, until it
// returns false.
template <class Wants, class Visit>
Result<void> for_each_entry(Fd fd, std::string_view path, mode_t kind, const Wants& wants, const Visit& visit) {
  const int at = fd.get();
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(at));
  if (!directory) return os_fail(fmt::format("listing {}", path));
  (void)fd.release();
  for (errno = 0; const auto* entry = ::readdir(directory.get()); errno = 0) {
    const char* name = entry->d_name;
    if (name[0] == '.' || !may_be(*entry, kind) || !wants(name)) continue;
    Stat info{};
    if (!examine(at, name, info) || (info.stx_mode & S_IFMT) != kind) continue;
    if (!visit(name, info)) return {};
  }
  if (errno != 0) return os_fail(fmt::format("listing {}", path));
  return {};
}

Result<void> Root::each_file(std::string_view path, const NameTest& wants,
                             const std::function<bool(DirectoryEntry)>& visit) const {
  SP_TRY(auto fd, open_directory(path));
  return for_each_entry(std::move(fd), path, S_IFREG, wants,
                        [&](const char* name, const Stat& info) { return visit({name, facts_from(info)}); });
}

Result<void> Root::each_directory(std::string_view path, const std::function<bool(std::string)>& visit) const {
  SP_TRY(auto fd, open_directory(path));
  const auto all = [](std::string_view) { return true; };
  return for_each_entry(std::move(fd), path, S_IFDIR, all, [&](const char* name, const Stat&) { return visit(name); });
}

Result<Root::Place> Root::place(std::string_view path) const {
  SP_TRY(const auto clean, clean_path(path));
  if (clean == ".") return fail(Errc::invalid, "the connection's root itself is not a file");
  const auto slash = clean.rfind('/');
  const auto parent = slash == std::string::npos ? std::string(".") : clean.substr(0, slash);
  SP_TRY(auto directory, resolve(parent, O_RDONLY | O_DIRECTORY));
  return Place{std::move(directory), slash == std::string::npos ? clean : clean.substr(slash + 1)};
}

Result<void> Root::make_directory(std::string_view path) const {
  SP_TRY(const auto clean, clean_path(path));
  for (std::size_t end = 0; end != std::string::npos;) {
    end = clean.find('/', end + 1);
    const auto part = clean.substr(0, end);
    if (part == ".") return {};
    SP_TRY(const auto where, place(part));
    if (::mkdirat(where.directory.get(), where.name.c_str(), 0770) != 0 && errno != EEXIST)
      return confined_fail(errno, "creating the directory", part);
  }
  SP_TRY(const auto made, open_directory(clean));
  return {};
}

Change<> Root::rename(std::string_view from, std::string_view to, Replace replace) const {
  SP_TRY(const auto source, unchanged(place(from)));
  SP_TRY(const auto target, unchanged(place(to)));
  SP_CHECK(rename_at({source.directory.get(), source.name}, {target.directory.get(), target.name}, replace,
                     fmt::format("moving {} to {}", from, to)));
  const auto doing = fmt::format("making the move of {} to {} durable", from, to);
  for (const auto* directory : {&target.directory, &source.directory})
    SP_CHECK(settled(sync_directory(directory->get(), doing)));
  return {};
}

Change<> Root::remove(std::string_view path) const {
  SP_TRY(const auto where, unchanged(place(path)));
  if (::unlinkat(where.directory.get(), where.name.c_str(), 0) != 0)
    return change_failed(errno, fmt::format("deleting {}", path));
  return settled(sync_directory(where.directory.get(), fmt::format("making the deletion of {} durable", path)));
}

Change<> Root::make_durable(std::string_view path) const {
  const auto where = place(path);
  if (!where && where.error().code == Errc::not_found) return {};
  if (!where) return settled(std::unexpected(where.error()));
  return settled(sync_directory(where->directory.get(), fmt::format("making {} durable", path)));
}

}  // namespace sallyport::platform
