#include "relay/app/token_file.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace sallyport::app {
namespace {

std::unexpected<Error> failed(std::string_view what, Errc code = Errc::unavailable) {
  return fail(code, fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<void> check_token_file(const std::filesystem::path& file) {
  struct stat facts{};
  if (::lstat(file.c_str(), &facts) == 0) {
    return fail(Errc::conflict,
                fmt::format("{} exists already, and a token never replaces a file: name another", file.string()));
  }
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return failed(fmt::format("cannot write into {}", folder.string()));
  return {};
}

Result<void> write_token(const std::filesystem::path& file, const Secret& token) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return failed(fmt::format("making {}", file.string()), errno == EEXIST ? Errc::conflict : Errc::unavailable);
  auto written = print_token(fd, token);
  if (written && ::fsync(fd) != 0) written = failed(fmt::format("syncing {}", file.string()));
  ::close(fd);
  if (!written) ::unlink(file.c_str());
  return written;
}

Result<void> print_token(int descriptor, const Secret& token) {
  if (!write_all(descriptor, token.reveal()) || !write_all(descriptor, "\n")) return failed("writing the token");
  return {};
}

}  // namespace sallyport::app
