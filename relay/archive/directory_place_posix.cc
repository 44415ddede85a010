#include "relay/archive/directory_place.h"

#include "relay/outbound/call_thread.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace sallyport::archive {

namespace asio = boost::asio;
using std::filesystem::path;

namespace {

constexpr std::string_view kUnfinished = ".unfinished";

Error system_error(const path& file, int number = errno) {
  const auto code = number == ENOENT ? Errc::not_found : number == EACCES ? Errc::forbidden : Errc::unavailable;
  return {code, fmt::format("{}: {}", file.string(), std::strerror(number))};
}

class File {
 public:
  File(const path& file, int flags) : fd_(::open(file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> sync_folder(const path& folder) {
  const File opened(folder, O_RDONLY | O_DIRECTORY);
  if (!opened || ::fsync(opened.get()) != 0) return std::unexpected(system_error(folder));
  return {};
}

Result<void> make_folders(const path& root, const path& below) {
  path folder = root;
  for (const auto& part : below) {
    const auto above = folder;
    folder /= part;
    if (::mkdir(folder.c_str(), 0700) == 0) {
      SP_CHECK(sync_folder(above));
    } else if (errno != EEXIST) {
      return std::unexpected(system_error(folder));
    }
  }
  return {};
}

Result<void> write_all(int file, std::span<const std::byte> bytes, const path& name) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return std::unexpected(system_error(name));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  if (::fsync(file) != 0) return std::unexpected(system_error(name));
  return {};
}

Result<void> put_file(const path& root, const path& name, std::span<const std::byte> bytes) {
  SP_CHECK(make_folders(root, name.parent_path()));
  const path file = root / name;
  const path unfinished = file.string() + std::string(kUnfinished);
  {
    const File opened(unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    if (!opened) return std::unexpected(system_error(unfinished));
    if (auto written = write_all(opened.get(), bytes, unfinished); !written) {
      ::unlink(unfinished.c_str());
      return written;
    }
  }
  if (::rename(unfinished.c_str(), file.c_str()) != 0) return std::unexpected(system_error(file));
  return sync_folder(file.parent_path());
}

Result<Bytes> get_file(const path& file) {
  const File opened(file, O_RDONLY);
  struct stat facts{};
  if (!opened || ::fstat(opened.get(), &facts) != 0) return std::unexpected(system_error(file));
  if (static_cast<std::size_t>(facts.st_size) > kMostObject)
    return fail(Errc::invalid, file.string() + ": larger than any record");
  Bytes bytes(static_cast<std::size_t>(facts.st_size));
  for (std::size_t at = 0; at < bytes.size();) {
    const auto read = ::read(opened.get(), bytes.data() + at, bytes.size() - at);
    if (read < 0) return std::unexpected(system_error(file));
    if (read == 0) return fail(Errc::invalid, file.string() + ": became shorter while it was read");
    at += static_cast<std::size_t>(read);
  }
  return bytes;
}

// Folders that are empty then go with it.
Result<void> remove_file(const path& root, const path& name) {
  const path file = root / name;
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return std::unexpected(system_error(file));
  for (path folder = name.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (::rmdir((root / folder).c_str()) == 0 || errno == ENOENT) continue;
    return sync_folder(root / folder);
  }
  return sync_folder(root);
}

// What the archive makes in its root: a folder for each year, and formerly for each organisation.
bool is_own_name(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return name.starts_with("org_") || (name.size() == 4 && std::ranges::all_of(name, is_digit));
}

// Whether `root` may have been made for something else: then its mode is not this archive's to change.
bool is_another_ones(const path& root, const struct stat& facts) {
  if (facts.st_uid != ::geteuid() || (facts.st_mode & S_ISVTX) != 0) return true;
  std::error_code problem;
  for (std::filesystem::directory_iterator at(root, problem), end; !problem && at != end; at.increment(problem)) {
    const auto name = at->path().filename().string();
    if (!is_own_name(name) && name != "lost+found") return true;
  }
  return static_cast<bool>(problem);
}

Result<void> expect_own(const path& root) {
  struct stat facts{};
  if (::stat(root.c_str(), &facts) != 0) return std::unexpected(system_error(root));
  if (!S_ISDIR(facts.st_mode)) return fail(Errc::invalid, root.string() + ": is no directory");
  if (facts.st_uid == ::geteuid() && (facts.st_mode & 077) == 0) return {};
  if (is_another_ones(root, facts)) {
    return fail(Errc::forbidden, root.string() + ": is not the archive's alone: name a directory of its own, such as " +
                                     (root / "sallyport-archive").string() + ", which the relay makes");
  }
  return fail(Errc::forbidden, fmt::format("{} may be read by others: chmod 700 {}", root.string(), root.string()));
}

// As it was when the place was made. Another directory at its path, such as that under a disk that is not mounted, is
// empty: what is missing there may be in this one.
class Root {
 public:
  explicit Root(path at) : at_(std::move(at)) {}
  Result<void> learn() {
    struct stat facts{};
    if (::stat(at_.c_str(), &facts) != 0) return std::unexpected(system_error(at_));
    device_ = facts.st_dev;
    inode_ = facts.st_ino;
    return {};
  }
  Result<path> expect() const {
    struct stat facts{};
    if (::stat(at_.c_str(), &facts) == 0 && facts.st_dev == device_ && facts.st_ino == inode_) return at_;
    return fail(Errc::unavailable, fmt::format("{} is not the directory that it was when the relay started: is it "
                                               "mounted? If it is meant to be another one now, start the relay again",
                                               at_.string()));
  }
  std::string string() const { return at_.string(); }

 private:
  path at_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

class DirectoryPlace final : public Place {
 public:
  explicit DirectoryPlace(Root root)
      : root_(std::move(root)), calls_({.waiting = 64, .deadline = std::chrono::seconds(30)}) {}

  asio::awaitable<Result<void>> put(std::string name, Bytes object) override {
    return calls_.run<void>([root = root_, name = std::move(name),
                             object = std::move(object)](const outbound::CallThread::Call&) -> Result<void> {
      SP_TRY(const auto folder, root.expect());
      return put_file(folder, name, object);
    });
  }
  asio::awaitable<Result<Bytes>> get(std::string name) override {
    return calls_.run<Bytes>(
        [root = root_, name = std::move(name)](const outbound::CallThread::Call&) -> Result<Bytes> {
          SP_TRY(const auto folder, root.expect());
          return get_file(folder / name);
        });
  }
  asio::awaitable<Result<void>> remove(std::string name) override {
    return calls_.run<void>([root = root_, name = std::move(name)](const outbound::CallThread::Call&) -> Result<void> {
      SP_TRY(const auto folder, root.expect());
      return remove_file(folder, name);
    });
  }
  std::string describe() const override { return "directory " + root_.string(); }

 private:
  Root root_;
  outbound::CallThread calls_;
};

}  // namespace

Result<std::unique_ptr<Place>> make_directory_place(path root) {
  if (!root.is_absolute()) return fail(Errc::invalid, root.string() + ": must be an absolute path");
  if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) return std::unexpected(system_error(root));
  SP_CHECK(expect_own(root));
  Root known(std::move(root));
  SP_CHECK(known.learn());
  return std::make_unique<DirectoryPlace>(std::move(known));
}

}  // namespace sallyport::archive
