#pragma once

#include "agent/platform/fd.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <cstdint>
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

// A file under construction next to its destination: nobody sees it under its name before commit(), and it vanishes
// when it is dropped without. Usable by one thread at a time.
class NewFile {
 public:
  NewFile(NewFile&&) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  Result<void> write(std::span<const std::byte> bytes);
  // fsync, rename over the final name, fsync of the directory: afterwards the file survives a power cut.
  Result<FileFacts> commit(Replace replace);

 private:
  friend class Root;
  NewFile(Fd directory, Fd file, std::string temporary, std::string final_name);

  Fd directory_, file_;
  std::string temporary_, name_;
  bool committed_ = false;
};

// A relative path without "." and empty parts, or an error: absolute paths, "..", NUL and control characters, more than
// 4096 bytes are refused. "." and "" name the root itself and come back as ".".
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
  Result<FileFacts> facts(std::string_view path) const;  // of a regular file
  // Visits the regular files directly in `path` whose names are wanted, in no order, until `visit` returns false.
  // Hidden ones (leading dot) and other kinds are left out. Holds one entry at a time, however many there are.
  using NameTest = std::function<bool(std::string_view name)>;
  Result<void> each_file(std::string_view path, const NameTest& wants,
                         const std::function<bool(DirectoryEntry file)>& visit) const;
  Result<void> each_directory(std::string_view path,
                              const std::function<bool(std::string name)>& visit) const;  // the same way
  // Its directory must exist. `maker` names who writes it, in letters and digits: a process that is killed leaves a
  // hidden ".<name>.partial-<maker>-*" behind, which discard_partials() of the same maker removes.
  Result<NewFile> create(std::string_view path, unsigned mode, std::string_view maker) const;
  Result<void> discard_partials(std::string_view path, std::string_view maker) const;
  Result<void> make_directory(std::string_view path) const;  // and its parents; existing ones are fine
  Result<void> rename(std::string_view from, std::string_view to, Replace replace) const;
  Result<void> remove(std::string_view path) const;

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
