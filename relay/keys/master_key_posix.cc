#include "relay/keys/master_key.h"
#include "relay/keys/master_key_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sallyport::keys {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> system_error(const std::filesystem::path& file, std::string_view what, Errc code) {
  return fail(code, fmt::format("{}: {}: {}", file.string(), what, std::generic_category().message(errno)));
}

Result<void> check_ownership(const std::filesystem::path& file, int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return system_error(file, "cannot examine the master key", Errc::invalid);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid, fmt::format("{}: the master key must be a regular file", file.string()));
  }
  if (status.st_uid != ::geteuid()) {
    return fail(Errc::invalid, fmt::format("{}: the master key belongs to another user: run: chown {} {}",
                                           file.string(), ::geteuid(), file.string()));
  }
  if ((status.st_mode & 0077) != 0) {
    return fail(Errc::invalid, fmt::format("{}: the master key is open to other users (mode {:04o}): run: chmod 600 {}",
                                           file.string(), status.st_mode & 07777, file.string()));
  }
  return {};
}

Result<Secret> read_whole(const std::filesystem::path& file, int fd) {
  std::string buffer(kMaxKeyFileSize, '\0');
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(file, "cannot read the master key", Errc::invalid);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  buffer.resize(size);
  return Secret::take(buffer);
}

Result<void> write_whole(const std::filesystem::path& file, int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_error(file, "cannot write the master key", Errc::unavailable);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(fd) != 0) return system_error(file, "cannot store the master key", Errc::unavailable);
  return {};
}

Result<void> sync_folder_of(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return system_error(folder, "cannot sync the folder", Errc::unavailable);
  return {};
}

}  // namespace

Result<MasterKey> read_key_file(const std::filesystem::path& file) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    return system_error(file, "cannot open the master key", errno == ENOENT ? Errc::not_found : Errc::invalid);
  }
  SP_CHECK(check_ownership(file, fd.get()));
  SP_TRY(Secret text, read_whole(file, fd.get()));
  auto key = parse_key_file(text);
  if (!key) return in_context(file.string(), key.error());
  return key;
}

Result<void> write_key_file(const std::filesystem::path& file, const MasterKey& key) {
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    return system_error(file, "cannot make the master key", errno == EEXIST ? Errc::conflict : Errc::unavailable);
  }
  auto written = write_whole(file, fd.get(), format_key_file(key).reveal());
  if (written) written = sync_folder_of(file);
  if (!written) ::unlink(file.c_str());
  return written;
}

}  // namespace sallyport::keys
