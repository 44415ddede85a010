#pragma once

#include "agent/platform/fd.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::platform {

// What tells one state of a file from another.
struct FileFacts {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;  // since 1970, UTC
  // Inode, and time of birth where the file system has one: another file under the same name has another one, and the
  // same one keeps it when its file system is mounted anew. Tells files of one root apart.
  std::string identity;
  friend bool operator==(const FileFacts&, const FileFacts&) = default;
};

struct DirectoryEntry {
  std::string name;
  FileFacts facts;
};

enum class Replace { never, allowed };

// Why names below a root did not change as they were told to. `unsure`: the change may have happened all the same (the
// server of the file system gave no answer), or it has and may not survive a power cut. Otherwise all is as before.
struct ChangeError {
  Error error;
  bool unsure = false;
};
template <class T = void>
using Change = std::expected<T, ChangeError>;

// A file under construction: nobody sees it under its name before commit(), and it vanishes when it is dropped without.
// It has no name at all until then where the file system can do that, so a process that is killed leaves nothing;
// elsewhere (NFS, many FUSE ones), and between the two halves of commit(), a hidden one next to its destination.
// Usable by one thread at a time.
class NewFile {
 public:
  NewFile(NewFile&&) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Result<void> write(std::span<const std::byte> bytes);
  // fsync, the final name at once, fsync of the directory: afterwards the file survives a power cut.
  Change<FileFacts> commit(Replace replace);

 private:
  friend class Root;
  NewFile(Fd directory, std::string temporary, std::string final_name);
  Result<void> open(unsigned mode);
  Result<void> give_temporary_name();

  Fd directory_, file_;
  std::string temporary_, name_;
  bool has_temporary_name_ = false;
};

// A relative path without "." and empty parts. Absolute paths and ".." are Errc::forbidden; NUL and control characters
// and more than 4096 bytes Errc::invalid. "." and "" name the root itself and come back as ".".
Result<std::string> clean_path(std::string_view path);

// A directory that no path can leave: every path is resolved by the kernel with
// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), so neither "..", nor a symbolic link, nor a
// directory swapped at the last moment leads outside. Symbolic links below the root are never followed, because the
// local policy speaks about directories by name. There is no weaker fallback: a kernel without openat2 refuses.
// Thread-safe: it holds one directory descriptor and no other state.
class Root {
 public:
  static Result<Root> open(const std::string& directory);

  Result<Fd> open_file(std::string_view path) const;  // regular files only, for reading
  Result<Fd> open_directory(std::string_view path) const;
  // Whether this user may make and remove files in a directory. Errors: forbidden, not_found.
  Result<void> check_changeable(std::string_view path) const;
  Result<FileFacts> facts(std::string_view path) const;  // of a regular file
  // Visits the regular files directly in `path` whose names are wanted, in no order, until `visit` returns false.
  // Hidden ones (leading dot) and other kinds are left out. Holds one entry at a time, however many there are.
  using NameTest = std::function<bool(std::string_view name)>;
  Result<void> each_file(std::string_view path, const NameTest& wants,
                         const std::function<bool(DirectoryEntry file)>& visit) const;
  Result<void> each_directory(std::string_view path,
                              const std::function<bool(std::string name)>& visit) const;  // the same way
  // Its directory must exist. `maker` names who writes it, in letters and digits: what a killed process leaves, if it
  // leaves anything, is a hidden ".<name>.partial-<maker>-*", which discard_partials() of the same maker removes.
  Result<NewFile> create(std::string_view path, unsigned mode, std::string_view maker) const;
  Result<void> discard_partials(std::string_view path, std::string_view maker) const;
  Result<void> make_directory(std::string_view path) const;  // and its parents; existing ones are fine
  Change<> rename(std::string_view from, std::string_view to, Replace replace) const;
  Change<> remove(std::string_view path) const;
  // fsync of the directory that holds `path`, for a change that an earlier call may have made; one that is gone needs
  // none.
  Change<> make_durable(std::string_view path) const;

 private:
  struct Place {
    Fd directory;
    std::string name;
  };
  explicit Root(Fd directory) : directory_(std::move(directory)) {}
  Result<Fd> resolve(std::string_view path, int flags) const;
  Result<Place> place(std::string_view path) const;

  Fd directory_;
};

Result<FileFacts> facts_of(int fd);

}  // namespace sallyport::platform
